"""Causal language models made on the spot: random weights in the shape of Llama, a tokenizer trained on a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

START, END = "<|start|>", "<|end|>"
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
TEXTS = (
    "A lower free-tier limit raises paid conversion within a quarter.",
    "Both sources show the rise; the third says nothing of it, and the fourth contradicts the first.",
    "Decide whether the hypothesis is VALIDATED, REJECTED or REFINED by the evidence.",
)


def tokenizer(texts: Sequence[str] = TEXTS, template: str | None = TEMPLATE) -> Any:
    """A byte-level tokenizer trained on `texts`, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=20_000,
        special_tokens=[END, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    marks = {"eos_token": END, "pad_token": END, "additional_special_tokens": [START]}
    fast = PreTrainedTokenizerFast(tokenizer_object=made, **marks)
    fast.chat_template = template
    return fast


def save(
    folder: Path, *, seed: int = 0, texts: Sequence[str] = TEXTS, template: str | None = TEMPLATE, **shape: Any
) -> Path:
    """Save a random model with its tokenizer as safetensors; `shape` are fields of LlamaConfig. Returns the folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    made = tokenizer(texts, template)
    plain: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(made),
        "max_position_embeddings": 512,
        "initializer_range": 0.3,  # as sure of its words as a trained model
        "tie_word_embeddings": False,
    }
    torch.manual_seed(seed)
    config = LlamaConfig(**(plain | shape), eos_token_id=made.eos_token_id, pad_token_id=made.pad_token_id)
    LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def save_encoder(folder: Path, *, seed: int = 0, texts: Sequence[str] = TEXTS, **shape: Any) -> Path:
    """Save a random encoder in the shape of BERT, without a head, as safetensors. Returns the folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=special, show_progress=False))
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    names = ["input_ids", "token_type_ids", "attention_mask"]
    fast = PreTrainedTokenizerFast(tokenizer_object=words, model_input_names=names, **marks)
    plain: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": len(fast),
        "max_position_embeddings": 128,
    }
    torch.manual_seed(seed)
    BertModel(BertConfig(**(plain | shape))).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def rename_keys(adapter: Path, old: str, new: str) -> Path:
    """Rename the weights of an adapter whose names contain `old`, as a conversion does that goes wrong."""
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    save_file({name.replace(old, new): weight for name, weight in load_file(file).items()}, file, {"format": "pt"})
    return adapter


def adapt(model: Path, folder: Path, *, seed: int = 1) -> Path:
    """Save a random LoRA adapter for the model in a folder, one that changes its answers. Returns `folder`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    made: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    for name, weight in made.named_parameters():
        if "lora_B" in name:  # zeros, as training begins
            torch.nn.init.normal_(weight, std=0.2)
    made.save_pretrained(str(folder), selected_adapters=["default"])
    return folder
