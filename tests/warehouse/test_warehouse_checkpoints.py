from warehouse import CheckpointFile

FIT = {"asset": "llm/fitted_generator", "study": "a1", "code": "b2", "splits": "c3"}


def test_keeps_the_last_state_of_one_fit_and_forgets_it(tmp_path):
    file = CheckpointFile(tmp_path / "home", FIT)
    assert file.read() is None
    file.write(b"first")
    file.write(b"second")
    assert CheckpointFile(tmp_path / "home", dict(reversed(FIT.items()))).read() == b"second"
    file.remove()
    assert file.read() is None
    file.remove()


def test_a_fit_of_anything_else_has_another_file(tmp_path):
    CheckpointFile(tmp_path, FIT).write(b"state")
    for name in FIT:
        assert CheckpointFile(tmp_path, FIT | {name: "other"}).read() is None


def test_only_the_owner_can_read_it(tmp_path):
    CheckpointFile(tmp_path, FIT).write(b"state")
    for path in (tmp_path / "checkpoints").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    assert [p.name for p in (tmp_path / "checkpoints").rglob("*.*")] == ["state.safetensors"]
