"""A model folder -> files that other programs run: one module a format; onnx_ and tf_ begin the names of its parts."""
