  # x w^T and x w, of x (T, n) and w (out, in), for a low precision that the processor has no instructions for: the product
  # is float32's, of one part of w at a time, and rounded at its end. For few tokens the way through memory decides, which
  # widening would triple.
  def part(self, w: Tensor) -> int:
    return ops.prim.max(1, torch.floordiv(2097152, torch.size(w, 1)))
  def nt(self, x: Tensor, w: Tensor) -> Tensor:
    if torch.__or__(torch.eq(ops.prim.dtype(x), 6), torch.lt(torch.size(x, 0), 8)):
      y = torch.linear(x, w)
    else:
      wide = torch.to(x, 6)
      y = torch.empty([torch.size(x, 0), torch.size(w, 0)], dtype=ops.prim.dtype(x), device=ops.prim.device(x))
      n = (self).part(w)
      for i in range(torch.floordiv(torch.sub(torch.add(torch.size(w, 0), n), 1), n)):
        start = torch.mul(i, n)
        length = ops.prim.min(n, torch.sub(torch.size(w, 0), start))
        some = torch.to(torch.narrow(w, 0, start, length), 6)
        _0 = torch.copy_(torch.narrow(y, 1, start, length), torch.linear(wide, some))
    return y
  def nn(self, x: Tensor, w: Tensor) -> Tensor:
    if torch.eq(ops.prim.dtype(x), 6):
      y = torch.mm(x, w)
    else:
      sum = torch.zeros([torch.size(x, 0), torch.size(w, 1)], dtype=6, device=ops.prim.device(x))
      n = (self).part(w)
      for i in range(torch.floordiv(torch.sub(torch.add(torch.size(w, 0), n), 1), n)):
        start = torch.mul(i, n)
        length = ops.prim.min(n, torch.sub(torch.size(w, 0), start))
        some = torch.to(torch.narrow(w, 0, start, length), 6)
        _0 = torch.addmm_(sum, torch.to(torch.narrow(x, 1, start, length), 6), some, beta=1, alpha=1)
      y = torch.to(sum, ops.prim.dtype(x))
    return y
