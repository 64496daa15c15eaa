"""Writes the embedded model's config.json as the published OpenELM files have it: per-layer lists instead of the formula's ends,
without auto_map, since no Python code stands beside it.

Usage: embedded_config.py MODEL_DIR
"""
import json
import sys
from pathlib import Path

from openelm_ref import OpenELMForCausalLM, layerwise

SHAPE = {
    "activation_fn_name": "swish",
    "architectures": ["OpenELMForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "ffn_dim_divisor": 32,
    "ffn_multipliers": [0.5, 3.0],
    "ffn_with_glu": True,
    "head_dim": 32,
    "initializer_range": 0.02,
    "max_context_length": 512,
    "model_dim": 256,
    "model_type": "openelm",
    "normalization_layer_name": "rms_norm",
    "normalize_qk_projections": True,
    "num_gqa_groups": 2,
    "num_transformer_layers": 6,
    "qkv_multipliers": [0.5, 1.0],
    "rope_freq_constant": 10000,
    "rope_max_length": 1024,
    "share_input_output_layers": True,
    "torch_dtype": "float32",
    "transformers_version": "4.39.3",
    "use_cache": True,
    "vocab_size": 2048,
}


def main(folder):
    query, key_value, multipliers, inner = layerwise(SHAPE)
    cfg = dict(SHAPE, ffn_multipliers=multipliers, num_query_heads=query, num_kv_heads=key_value)
    assert layerwise(cfg) == (query, key_value, multipliers, inner), "the lists give another shape than the formula"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(cfg, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    total = sum(p.numel() for p in OpenELMForCausalLM(cfg).parameters())
    print(f"query heads {query}, key/value heads {key_value}, inner {inner}: {total} parameters")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
