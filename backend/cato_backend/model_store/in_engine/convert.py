"""Converts a GGUF file to a folder that vLLM serves: safetensors, configuration, tokenizer.

    python convert.py FILE FOLDER bf16|int8 [END_TOKEN ...]

An engine's own Python runs this, with the package `gguf` on PYTHONPATH; nothing of CATO is
imported. `bf16` holds the weights in bfloat16. `int8` holds those of the linear layers and of the
output head in eight bits, with one scale for each output channel, in the format of
compressed-tensors (W8A8, activations scaled token by token). The transformers library dequantizes,
and writes a progress bar to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_EIGHT_BITS = 127
_INT8_SCHEME: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "config_groups": {
        "group_0": {
            "targets": ["Linear", "re:.*lm_head"],
            "weights": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "channel",
                "dynamic": False,
            },
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("format", choices=("bf16", "int8"))
    parser.add_argument("end_tokens", nargs="*")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    config, tensors = _dequantized(arguments.file)
    if arguments.format == "int8":
        tensors = _eight_bit(tensors)
        # A head that is tied to the embeddings has no weights of its own.
        ignored = [] if "lm_head.weight" in tensors else ["lm_head"]
        config["quantization_config"] = {**_INT8_SCHEME, "ignore": ignored}
    import_module("safetensors.torch").save_file(
        tensors, folder / "model.safetensors", metadata={"format": "pt"}
    )
    ends = _write_tokenizer(arguments.file, folder, arguments.end_tokens)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    # vLLM takes a folder with this file for a model, so it is the last.
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def _dequantized(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the tensors in bfloat16, both named as on the hub."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    reading: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    config = transformers.AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    loaded = reading.load_gguf_checkpoint(
        str(file), return_tensors=True, model_to_load=model, torch_dtype=torch.bfloat16
    )
    values: dict[str, Any] = config.to_dict()
    values |= {"architectures": [type(model).__name__], "dtype": "bfloat16"}
    return values, {name: tensor.contiguous() for name, tensor in loaded["tensors"].items()}


def _eight_bit(tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the matrices of the linear layers and of the output head in eight bits.

    Embeddings and norms stay as they are.
    """
    torch: Any = import_module("torch")
    result = dict[str, Any]()
    for name, tensor in tensors.items():
        if not name.endswith(("_proj.weight", "lm_head.weight")):
            result[name] = tensor
            continue
        weights = tensor.float()
        scale = weights.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / _EIGHT_BITS
        result[name] = (weights / scale).round().clamp(-_EIGHT_BITS, _EIGHT_BITS).to(torch.int8)
        result[f"{name}_scale"] = scale.to(torch.bfloat16)
    return result


def _write_tokenizer(file: Path, folder: Path, end_tokens: list[str]) -> list[int]:
    """Return the tokenizer's files; returns the ids of the tokens that end an answer."""
    transformers: Any = import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    tokenizer.save_pretrained(folder)
    unknown = [token for token in end_tokens if token not in tokenizer.get_vocab()]
    if unknown:
        sys.exit(f"its tokenizer does not know {', '.join(unknown)}")
    ids = [tokenizer.convert_tokens_to_ids(token) for token in end_tokens]
    return ids or [tokenizer.eos_token_id]


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
