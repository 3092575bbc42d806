"""The tiny base model of the demos: its synthetic corpus, tokenizer, model and training loop."""
