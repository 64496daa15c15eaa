  # The sum of all squares of x (n, m), float32 in a row, float64 beyond: in float32 throughout, a large block loses digits.
  def squares(self, x: Tensor) -> float:
    return float(torch.sum(torch.square(torch.to(torch.linalg_vector_norm(x, 2, [1]), 7))))

  # Writes W' over w (out, in), of any floating-point type, if it is to be written. a is (rank, in), b (out, rank); own
  # are the method's other parameters. `merged_rows` is the method: of rows of w in float32, of the same of s b, and the
  # number of the first it makes W' - w in the memory `updates`, and W' itself if that is not their sum. On the CPU it
  # goes by blocks of rows: what is made on the way stays small, and each operation on a block has to wake all threads,
  # which costs more than smaller blocks save by staying in the processor's caches. W' is rounded once. Returns float64:
  # the largest change of an element, the norm of the change, the norm of w as it was, and how many elements are not
  # finite.
  def merge(self, w: Tensor, a: Tensor, b: Tensor, own: List[Tensor], scaling: List[float], write: bool) -> Tensor:
    rows = torch.size(w, 0)
    columns = torch.size(w, 1)
    block = rows
    if ops.prim.is_cpu(w):
      block = ops.prim.min(rows, ops.prim.max(1, torch.floordiv(8388608, columns)))
    else:
      pass
    scaled = torch.mul(b, scaling[0])
    updates = torch.empty([block, columns], dtype=6, device=ops.prim.device(w))
    largest = 0.
    changed = 0.
    whole = 0.
    bad = 0
    for i in range(torch.floordiv(torch.sub(torch.add(rows, block), 1), block)):
      start = torch.mul(i, block)
      count = ops.prim.min(block, torch.sub(rows, start))
      stored = torch.narrow(w, 0, start, count)
      before = torch.to(stored, 6)
      merged = (self).merged_rows(before, torch.narrow(scaled, 0, start, count), a, own, start, torch.narrow(updates, 0, 0, count))
      least, most = torch.aminmax(merged[0])
      largest = ops.prim.max(largest, ops.prim.max(torch.neg(float(least)), float(most)))
      changes = (self).squares(merged[0])
      values = (self).squares(before)
      changed = torch.add(changed, changes)
      whole = torch.add(whole, values)
      if torch.lt(torch.add(changes, values), 1e+38):
        pass # no element of w or of the change is so large that their sum is not finite
      else:
        bad = torch.add(bad, int(torch.sum(torch.logical_not(torch.isfinite(torch.add(before, merged[0]))))))
      if write:
        if torch.gt(torch.len(merged), 1):
          _0 = torch.copy_(stored, merged[1])
        else:
          if torch.eq(ops.prim.dtype(stored), 6):
            _1 = torch.add_(stored, merged[0])
          else:
            _2 = torch.copy_(stored, torch.add_(before, merged[0]))
      else:
        pass
    return torch.tensor([largest, torch.sqrt(changed), torch.sqrt(whole), float(bad)], dtype=7)
