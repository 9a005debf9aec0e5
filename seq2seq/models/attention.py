"""Attention of decoder outputs over the encoder's memory."""

from typing import Any

from seq2seq.models.backend import keras, ops


@keras.saving.register_keras_serializable("seq2seq")
class Attention(keras.layers.Layer):
    """Computes attention weights over the memory for each query, and the weighted mean of the memory.

    Source: `luong`: Luong et al. 2015, arXiv:1508.04025, equation 8 (general);
    `bahdanau`: Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2 (additive).
    """

    def __init__(self, kind: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.kind = kind

    def build(self, query_shape: Any, memory_shape: Any, real_shape: Any = None) -> None:
        """Creates the weights for queries (B, T, H) and memory (B, S, M)."""
        query_size, memory_size = query_shape[-1], memory_shape[-1]
        if self.kind == "luong":
            self.kernel = self.add_weight(shape=(query_size, memory_size), name="kernel")
        else:
            self.query_kernel = self.add_weight(shape=(query_size, query_size), name="query_kernel")
            self.memory_kernel = self.add_weight(shape=(memory_size, query_size), name="memory_kernel")
            self.bias = self.add_weight(shape=(query_size,), initializer="zeros", name="bias")
            self.vector = self.add_weight(shape=(query_size, 1), name="vector")
        self.built = True

    def call(self, query: Any, memory: Any, real: Any) -> tuple[Any, Any]:
        """Computes context and attention weights.

        Args:
            query: float32 (B, T, H).
            memory: float32 (B, S, M).
            real: bool (B, S), False on padding.

        Returns:
            context (B, T, M) and weights (B, T, S), which sum to 1 over real symbols and are 0 on padding.

        """
        if self.kind == "luong":
            scores = ops.matmul(ops.matmul(query, self.kernel), ops.transpose(memory, (0, 2, 1)))
        else:
            from_query = ops.expand_dims(ops.matmul(query, self.query_kernel) + self.bias, 2)
            from_memory = ops.expand_dims(ops.matmul(memory, self.memory_kernel), 1)
            scores = ops.squeeze(ops.matmul(ops.tanh(from_query + from_memory), self.vector), -1)
        scores = ops.where(ops.expand_dims(real, 1), scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        return ops.matmul(weights, memory), weights

    def compute_output_shape(self, query_shape: Any, memory_shape: Any, real_shape: Any = None) -> Any:
        """Returns the shapes of context and weights."""
        return (*query_shape[:2], memory_shape[-1]), (*query_shape[:2], memory_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        return {**super().get_config(), "kind": self.kind}
