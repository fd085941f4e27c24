"""Stores as an earlier evalkit left them, and stores whose rows a test has changed on purpose."""

from evalkit.records import responses
from evalkit.records.storefile import SEALED, seal


def reseal(connection):
    """Seal every row as it is now."""
    connection.create_function("seal", -1, seal, deterministic=True)
    connection.create_function("of_response", -1, lambda message, *row: responses.seal(row, message))
    for table, columns in SEALED.items():
        function = "of_response(message, " if table == "response" else "seal("
        connection.execute(f"UPDATE {table} SET seal = {function}{', '.join(columns)})")


def to_format_1(connection):
    """Take away what later formats have added."""
    for table in SEALED:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN seal")
    connection.execute("DROP TABLE sealed")
    connection.execute("UPDATE response SET text = message WHERE failure IS NOT NULL")
    connection.execute("ALTER TABLE response DROP COLUMN message")
    connection.execute("ALTER TABLE response DROP COLUMN elsewhere")
    connection.execute("PRAGMA user_version=1")
