"""A reader of store.yaml as the settings of its session: where the config and the reader's room meet."""

from __future__ import annotations

from rfid_reader.settings import ReaderSettings
from runtime.config import Reader


def settings_of(reader: Reader) -> ReaderSettings:
    """What the session is told of one reader of the configuration."""
    powers = {one.port: one.power_dbm for one in reader.antennas if one.power_dbm is not None}
    return ReaderSettings(
        host=reader.host,
        port=reader.tcp_port(),
        name=reader.name,
        tls=reader.tls,
        tls_ca=str(reader.tls_ca) if reader.tls_ca is not None else None,
        antennas=tuple(antenna.port for antenna in reader.antennas),
        antenna_power_dbm=powers,
        session=reader.session,
        mode=reader.mode,
        search_mode=reader.search_mode,
        population=reader.population,
    )
