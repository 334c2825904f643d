"""What `hybrid init` asks where its options do not say, each with a guess to accept."""

from dataclasses import dataclass

from rich.console import Console
from rich.prompt import Confirm, FloatPrompt, Prompt

from dagster_project.study_roles import Guess, GuessedRoles
from hybrid_assets.errors import StudyError

POLICIES = ["impute", "drop_rows", "category", "refuse"]


@dataclass(frozen=True)
class Answers:
    """What the author has said; None where they have not.

    Attributes
    ----------
    name, treatment, outcome : str or None
    identifiers : tuple of str or None
    probability : float or None
        Of treatment, in a trial.
    missing : str or None
        Policy for missing covariates.
    accept : bool
        Take what is guessed for whatever was not said, and ask nothing.
    """

    name: str | None = None
    treatment: str | None = None
    outcome: str | None = None
    identifiers: tuple[str, ...] | None = None
    probability: float | None = None
    missing: str | None = None
    accept: bool = False


class Questions:
    """Gives what was said, else what was guessed if guesses are accepted, else asks.

    Parameters
    ----------
    answers : Answers
        What was said.
    console : Console
        Where questions are printed; answers come from standard input.
    """

    def __init__(self, answers: Answers, console: Console) -> None:
        self._said, self._console = answers, console

    def treatment(self, guessed: GuessedRoles) -> str:
        """Name the column of the treatment, among those that hold 0 and 1 only."""
        if not guessed.binary and self._said.treatment is None:
            raise StudyError(
                "expected a treatment coded 0 and 1; no column holds both, and only them"
            )
        return self._column("treatment", self._said.treatment, guessed.treatment, guessed.binary)

    def outcome(self, guessed: GuessedRoles, treatment: str) -> str:
        """Name the column of the outcome, among the numeric ones."""
        others = tuple(name for name in guessed.numeric if name != treatment)
        guess = guessed.outcome if guessed.outcome and guessed.outcome.column in others else None
        return self._column("outcome", self._said.outcome, guess, others)

    def identifiers(self, guessed: GuessedRoles, taken: set[str]) -> tuple[str, ...]:
        """Name the columns that tell people apart, or none."""
        if self._said.identifiers is not None:
            return self._said.identifiers
        proposed = [name for name in guessed.identifiers if name not in taken]
        if self._said.accept:
            return tuple(proposed)
        reply = self._ask("identifiers (separated by commas)", default=",".join(proposed))
        return tuple(name.strip() for name in reply.split(",") if name.strip())

    def probability(self) -> float | None:
        """Give the probability of treatment in a trial, None for an observational study."""
        if self._said.probability is not None or self._said.accept:
            return self._said.probability
        try:
            if not Confirm.ask("was treatment randomised?", console=self._console, default=False):
                return None
            return FloatPrompt.ask("with which probability?", console=self._console, default=0.5)
        except EOFError:
            raise _unanswered("design", "--probability P") from None

    def missing(self, n_columns: int) -> str:
        """Give the policy for missing covariates, where some are."""
        if self._said.missing is not None or self._said.accept or n_columns == 0:
            return self._said.missing or POLICIES[0]
        return self._ask(
            f"{n_columns} covariates miss values; what to do?",
            choices=POLICIES,
            default=POLICIES[0],
            option="missing",
        )

    def _column(
        self, role: str, said: str | None, guess: Guess | None, possible: tuple[str, ...]
    ) -> str:
        if said is not None:
            return said
        if not self._said.accept:
            default = guess.column if guess else None
            return self._ask(role, choices=list(possible), default=default)
        if guess is not None and guess.is_plain:
            return guess.column
        problem = "no column's name tells it alone"
        if guess is not None:
            problem = f"{guess.column} is a mere guess ({guess.reason})"
        raise StudyError(
            f"expected to know the {role}: {problem}, so name it with --{role}; it could be "
            f"{', '.join(possible)}"
        )

    def _ask(
        self,
        question: str,
        *,
        choices: list[str] | None = None,
        default: str | None = None,
        option: str = "",
    ) -> str:
        asked = Prompt(question, console=self._console, choices=choices)
        try:
            reply = asked(default=default) if default is not None else asked()
        except EOFError:
            word = option or question.split()[0]
            raise _unanswered(word, f"--{word}") from None
        return str(reply)


def _unanswered(what: str, option: str) -> StudyError:
    return StudyError(f"expected an answer about {what}; got none (say {option}, or --yes)")
