"""Make a tiny model, of random weights, that holds one token impossible after some contexts.

    python tests/sglang/impossible_model.py TOKEN OUT_DIR

The row of that token in the last layer is so large that its logit overflows to minus infinity
where the hidden state points the other way. Run it with the Python that has transformers.
"""

import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def main() -> None:
    token, folder = int(sys.argv[1]), sys.argv[2]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).float()
    model.lm_head.weight.data[token] = 0
    model.lm_head.weight.data[token, 0] = 3.3e38
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
