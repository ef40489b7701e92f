"""The network: embeddings, backbone, heads, vocoder, checkpoints. Knows no data, no engine."""
