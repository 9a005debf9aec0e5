"""Builds one ONNX graph: values are names, and each method adds a node and returns the name of its result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from seq2seq.version import __version__

OPSET, IR_VERSION = 17, 8  # onnxruntime 1.12 and later read them
FLOAT, INT, BOOL = "float32", "int64", "bool"
TYPES = {FLOAT: TensorProto.FLOAT, INT: TensorProto.INT64, BOOL: TensorProto.BOOL}
Shape = tuple[str | int, ...]


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Args:
        name: by which a program passes or receives it.
        dtype: as NumPy names it.
        shape: a letter for a length that differs from call to call, a number for a fixed one.
        meaning: in words.

    """

    name: str
    dtype: str
    shape: Shape
    meaning: str

    def to_proto(self) -> onnx.ValueInfoProto:
        """Returns the port as ONNX declares it."""
        return helper.make_tensor_value_info(self.name, TYPES[self.dtype], self.shape)


@dataclass
class Builder:
    """Collects the nodes of one graph.

    Args:
        name: of the graph.

    """

    name: str
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def input(self, port: Port) -> str:
        """Adds an input, unless it has one of this name; returns its name."""
        if port not in self.inputs:
            self.inputs.append(port)
        return port.name

    def output(self, value: str, port: Port) -> None:
        """Gives a value out under the port's name."""
        self.nodes.append(helper.make_node("Identity", [value], [port.name]))
        self.outputs.append(port)

    def constant(self, values: ArrayLike, name: str = "") -> str:
        """Adds a constant of any type and shape; returns its name. One of the same name is added once."""
        name = name or f"constant_{len(self.constants)}"
        self.constants.setdefault(name, numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def ints(self, *values: int) -> str:
        """Adds a list of numbers, such as axes or a shape; the same list is added once."""
        return self.constant(np.array(values, np.int64), f"ints_{'_'.join(map(str, values))}")

    def whole(self, value: int) -> str:
        """Adds one int64 number."""
        return self.constant(np.array(value, np.int64), f"whole_{value}")

    def number(self, value: float) -> str:
        """Adds one float32 number."""
        return self.constant(np.array(value, np.float32))

    def add(self, operator: str, *values: str, **attributes: Any) -> str:
        """Adds a node with one result; returns its name. An empty name stands for an input that is left out."""
        return self.add_many(operator, *values, results=1, **attributes)[0]

    def add_many(self, operator: str, *values: str, results: int, **attributes: Any) -> list[str]:
        """Adds a node with several results; returns their names."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{index}" for index in range(results)]
        self.nodes.append(helper.make_node(operator, values, names, **attributes))
        return names

    def dense(self, value: str, kernel: str, bias: str = "") -> str:
        """Multiplies by a kernel, and adds a bias."""
        product = self.add("MatMul", value, kernel)
        return self.add("Add", product, bias) if bias else product

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Reshapes a value; 0 keeps a length, one -1 is what is left."""
        return self.add("Reshape", value, self.ints(*shape))

    def length(self, value: str, axis: int) -> str:
        """Returns the length of an axis, int64 (1,)."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def finished(self) -> bytes:
        """Returns the checked graph as the bytes of an ONNX file."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [port.to_proto() for port in self.inputs],
            [port.to_proto() for port in self.outputs],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="seq2seq",
            producer_version=__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
