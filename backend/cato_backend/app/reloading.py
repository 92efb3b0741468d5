"""A running server takes over a changed cato.toml: what can change, and the log tells the rest."""

from __future__ import annotations

from collections.abc import Callable

from cato_backend.config import Config, TeamConfig
from cato_backend.config.reloading import change_of
from cato_backend.errors import ConfigError
from cato_backend.gateway.client_records import WarmCaps
from cato_backend.gateway.replica_prices import usage_prices
from cato_backend.gateway.state import Gateway
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.logs import LogFormat, NewsWarning, set_up
from cato_backend.team.live import TeamSettings


class Reloading:
    """Reads the configuration again when it is asked to.

    `read` returns it, given the one in force; `team_settings` returns what it says of people.
    `began`: when the process began, as the log counts from it.
    """

    def __init__(
        self,
        read: Callable[[Config], Config],
        team_settings: Callable[[TeamConfig], TeamSettings],
        began: float,
    ) -> None:
        self._read = read
        self._team_settings = team_settings
        self._began = began

    def reload(self, gateway: Gateway) -> str:
        """Put into force what can change; return what has changed, for people."""
        try:
            change = change_of(gateway.config, self._read(gateway.config))
            self._apply(change.config, gateway)
        except ConfigError as error:
            return _refused(str(error))
        except (OSError, RuntimeError, ValueError) as error:
            # Such as a path that no system call takes, or ~ of a user who is not there.
            return _refused(str(error) or type(error).__name__)
        text = f"configuration: {change}"
        return NewsWarning(text) if change.waiting else text

    def _apply(self, config: Config, gateway: Gateway) -> None:
        """Raise ConfigError, before anything is changed, where the prices cannot be read."""
        prices, scheduling = usage_prices(config.usage), config.scheduling
        set_up(LogFormat(config.log.format), config.log.level, self._began)
        gateway.config = config
        gateway.prices.read_again(prices)
        gateway.targets.configure(config.targets)
        gateway.warm_caps = WarmCaps(scheduling.warm_per_minute / 60, scheduling.warm_burst)
        gateway.proxies = TrustedProxies(config.server.trusted_proxies)
        gateway.runtime.teams.settings = self._team_settings(config.team)
        gateway.runtime.slow.times = config.log.slow_times


def _refused(why: str) -> NewsWarning:
    return NewsWarning(f"configuration: {why}; the former one stays in force")
