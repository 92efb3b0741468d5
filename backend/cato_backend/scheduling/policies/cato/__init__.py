"""CATO's own policy: late binding, chances of meeting targets, expected loss of goodput."""

from cato_backend.scheduling.policies.cato.lengths import TrueLengths
from cato_backend.scheduling.policies.cato.options import MECHANISMS, CatoOptions
from cato_backend.scheduling.policies.cato.order import RELEGATED_PRIORITY
from cato_backend.scheduling.policies.cato.policy import Cato

__all__ = ["MECHANISMS", "RELEGATED_PRIORITY", "Cato", "CatoOptions", "TrueLengths"]
