"""CATO's own policy: late binding, latest start time, expected loss of goodput (DESIGN 5.3)."""

from cato_backend.scheduling.policies.cato.lengths import Truth
from cato_backend.scheduling.policies.cato.options import MECHANISMS, CatoOptions
from cato_backend.scheduling.policies.cato.order import RELEGATED_PRIORITY
from cato_backend.scheduling.policies.cato.policy import Cato

__all__ = ["MECHANISMS", "RELEGATED_PRIORITY", "Cato", "CatoOptions", "Truth"]
