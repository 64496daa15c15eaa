  # What tells how fast products with a base weight are.

  # x (T, in), w (out, in) and y (T, out), of a type like that of `like`; small where a product may take seconds.
  def trial_operands(self, like: Tensor) -> List[Tensor]:
    if torch.eq(ops.prim.dtype(like), 6):
      n = 1024
    else:
      n = 512
    t = torch.floordiv(n, 4)
    x = torch.full([t, n], 0.5, dtype=ops.prim.dtype(like))
    w = torch.full([torch.mul(n, 2), n], 0.5, dtype=ops.prim.dtype(like))
    y = torch.full([t, torch.mul(n, 2)], 0.5, dtype=ops.prim.dtype(like))
    return [x, w, y]

  def trial(self, operands: List[Tensor]) -> List[Tensor]:
    return [(self).nt(operands[0], operands[1]), (self).nn(operands[2], operands[1])]
