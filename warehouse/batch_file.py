"""Arrow record batches in a file without a name, read again as often as they are asked for."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa

from warehouse.errors import StorageUnavailable, UnstorableTable, reason
from warehouse.private_files import unnamed_file

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


class BatchFile:
    """A file in which tables are laid aside, one after another; in memory up to 32 MB.

    On disk it has no name: nothing is left of it when it is closed or its process is killed.

    Parameters
    ----------
    folder : pathlib.Path
        Created, private to its owner, if it is not there.

    Raises
    ------
    StorageUnavailable
        If the disk refuses, now or in `append`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, unnamed_file(folder)
        # one sink for all tables: Arrow counts a batch's place from where its sink began
        self._sink = pa.PythonFile(self._file, mode="w")
        # one source for all readers: its lock is that of the file's one position
        self._source = pa.PythonFile(self._file, mode="r")

    def append(self, batches: Iterable[pa.Table]) -> "Batches":
        """Lay a table aside; its batches, at least one, are of one schema.

        What goes wrong in making them passes as it is: only the disk's refusals are told.
        """
        rest = iter(batches)
        first = next(rest, None)
        if first is None:
            raise UnstorableTable("no block of rows was given; a table has at least one")
        n_rows = 0
        with self._refusals():
            writer = pa.ipc.new_file(self._sink, first.schema, options=_COMPRESSED)
        for batch in chain([first], rest):
            with self._refusals():
                writer.write_table(batch)
            n_rows += len(batch)
        with self._refusals():
            writer.close()
            self._sink.flush()
        return Batches(self, self._sink.tell(), first.schema, n_rows)

    def reader(self, end: int, fields: Sequence[int]) -> pa.ipc.RecordBatchFileReader:
        """Open the table that ends at a byte, for some of its fields or, if none, for all."""
        options = pa.ipc.IpcReadOptions(included_fields=list(fields))
        return pa.ipc.open_file(self._source, footer_offset=end, options=options)

    def close(self) -> None:
        """Let go of the rows."""
        self._file.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnavailable(
                f"rows cannot be laid aside in {self._folder} ({reason(error)}); check its "
                "permissions and free disk space, then run again"
            ) from None


class Batches:
    """A table in a `BatchFile`.

    Attributes
    ----------
    schema : pyarrow.Schema
    n_rows : int
    """

    def __init__(self, file: BatchFile, end: int, schema: pa.Schema, n_rows: int) -> None:
        self.schema, self.n_rows = schema, n_rows
        self._file, self._end = file, end

    def read(self, fields: Sequence[int] = ()) -> Iterator[pa.Table]:
        """Give the batches in order, of some fields or of all; bytes of others stay unread."""
        reader = self._file.reader(self._end, fields)
        for k in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(k)])
