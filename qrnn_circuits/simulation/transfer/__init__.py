"""Many steps through transfer operators: one matrix for each symbol, built once a call.

The words that the modules share, in the order in which a batch meets them:

- *Operator*: the transfer operator of an input symbol, or a product of several with the readouts
  between them, which takes several steps at once.
- *Time index* j, from 0 to J: how many operators a sequence has been through. Its state at time
  index 0 is the one to start from, at j the one after j operators. Where no operator is a product,
  j is the number of steps taken.
- *Pair*: an operator and the outcome on which the step before it is conditioned.
- *Bucket*: the rows of the batch that meet the same operator at a time index.
- *Batch plan*: what the symbols of a batch decide before any parameter is looked at: which
  operators to build, and the buckets of every time index.
- *Segment*: the time indices whose states are kept in memory together. Where there are several,
  the backward pass computes each again from its first state, as gradient checkpointing does.
- *Chunk*: the neighbouring time indices of a segment that are read, or whose gradients are
  collected, in one operation.
"""
