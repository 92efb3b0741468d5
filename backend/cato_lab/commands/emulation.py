"""Converts the arguments of `cato emulate` to the options of the emulator."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace

from cato_backend.profile_files.files import load_profile
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_lab.emulator import Behaviour, EmulatorOptions
from cato_lab.emulator.corpus import CONCENTRATION, CorpusText, Errors, read_corpus
from cato_lab.emulator.text import PseudoCode, TextSource

_MILLISECONDS = 1000


def emulator_options(arguments: argparse.Namespace) -> EmulatorOptions:
    """Return what is emulated. Raises ConfigError."""
    profile = _profile(arguments)
    behaviour = Behaviour(
        tells_logprobs=arguments.confidence not in {"hidden", "none"},
        reply=arguments.reply,
        faults=tuple(arguments.fault),
        stamped=arguments.stamped,
        sleep_mode=arguments.enable_sleep_mode,
        sleep_ms=arguments.sleep_s * _MILLISECONDS,
        wake_ms=arguments.wake_s * _MILLISECONDS,
    )
    options = EmulatorOptions(
        profile,
        arguments.host,
        arguments.port,
        arguments.scheduling_policy,
        arguments.speed,
        arguments.request_ms / _MILLISECONDS,
        _text(arguments),
        behaviour,
        arguments.control,
        uds=arguments.uds,
    )
    if arguments.ttft_ms is None and arguments.itl_ms is None:
        return options
    return replace(options, profile=None, behaviour=_at_fixed_times(behaviour, arguments, profile))


def _at_fixed_times(
    behaviour: Behaviour, arguments: argparse.Namespace, profile: Profile
) -> Behaviour:
    return replace(
        behaviour,
        model=profile.model,
        max_model_len=profile.limits.max_model_len,
        priority_scheduling=arguments.scheduling_policy == "priority",
        ttft_ms=(arguments.ttft_ms or 0.0) / arguments.speed,
        itl_ms=(arguments.itl_ms or 0.0) / arguments.speed,
        max_num_seqs=profile.limits.max_num_seqs,
    )


def _text(arguments: argparse.Namespace) -> TextSource:
    if arguments.corpus is None:
        return PseudoCode(seed=arguments.seed)
    is_drawn = arguments.confidence in {"calibrated", "hidden"}
    concentration = CONCENTRATION if is_drawn else None
    errors = Errors(arguments.error_rate, arguments.seed, concentration)
    return CorpusText(read_corpus(arguments.corpus), errors)


def _profile(arguments: argparse.Namespace) -> Profile:
    """Return the file's profile or the law of the arguments.

    Limits and name given here go before both.
    """
    if arguments.profile is not None:
        profile = load_profile(arguments.profile)
    else:
        law = StepLaw(
            "additive",
            base=arguments.step_ms / _MILLISECONDS,
            per_new_token=arguments.token_ms / _MILLISECONDS,
            per_sequence=arguments.sequence_ms / _MILLISECONDS,
            per_kv_token=arguments.kv_token_us / _MILLISECONDS**2,
        )
        profile = Profile("cato-emulated", "emulated", law)
    names = [field.name for field in fields(EngineLimits)]
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    limits = replace(profile.limits, **given)
    return replace(profile, model=arguments.model or profile.model, limits=limits)
