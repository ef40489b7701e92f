"""The engine once more as ticks of fixed shapes, which a GPU can capture as graphs and replay."""
