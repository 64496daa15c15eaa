  # The square of each row's norm of w (out, in), float32, in blocks of rows: w may be large, and of low precision.
  # The norm of a view, such as an embedding's, would round otherwise than that of its copy.
  def squared_row_norm(self, w: Tensor) -> Tensor:
    rows = torch.size(w, 0)
    out = torch.empty([rows], dtype=6, device=ops.prim.device(w))
    block = ops.prim.max(1, torch.floordiv(8388608, ops.prim.max(1, torch.size(w, 1))))
    for i in range(torch.floordiv(torch.sub(torch.add(rows, block), 1), block)):
      start = torch.mul(i, block)
      count = ops.prim.min(block, torch.sub(rows, start))
      part = torch.contiguous(torch.to(torch.narrow(w, 0, start, count), 6))
      _ = torch.square_(torch.linalg_vector_norm(part, 2, [1], out=torch.narrow(out, 0, start, count)))
    return out

  # |w + s b a| per row, without w + s b a, of w (out, in), a (rank, in) and b (out, rank) or kernels with more axes:
  # |w|^2 + 2 s rowsum((w a^T) * b) + s^2 rowsum((b (a a^T)) * b)
  # A constant in backward. A row of zeros keeps a divisor that is not zero. With b = 0, as at the start, it is |w|.
  def row_norm(self, w: Tensor, w2: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    s = float(scaling)
    af = torch.flatten(torch.detach(a), 1)
    bf = torch.flatten(torch.detach(b), 1)
    if bool(torch.any(bf)):
      n2 = (self).squared_norm_of_sum(w, w2, af, bf, s)
    else:
      n2 = w2
    return torch.sqrt(torch.clamp_min(n2, 1e-24))

  def squared_norm_of_sum(self, w: Tensor, w2: Tensor, af: Tensor, bf: Tensor, s: float) -> Tensor:
    cross = torch.sum(torch.mul(torch.to(torch.linear(w, torch.to(af, ops.prim.dtype(w))), 6), bf), [1])
    own = torch.sum(torch.mul(torch.mm(bf, torch.mm(af, torch.t(af))), bf), [1])
    return torch.add(torch.add(w2, cross, alpha=torch.mul(2., s)), own, alpha=torch.mul(s, s))

  # m / |w + s b a| (out), differentiable in m.
  def gain(self, w: Tensor, w2: Tensor, a: Tensor, b: Tensor, scaling: Tensor, m: Tensor) -> Tensor:
    return torch.div(torch.flatten(m), (self).row_norm(w, w2, a, b, scaling))

  def gain_of_norm(self, norm: Tensor, m: Tensor) -> Tensor:
    return torch.div(torch.flatten(m), norm)

  # How often each tensor was written to.
  def versions(self, tensors: List[Tensor]) -> List[int]:
    v = annotate(List[int], [])
    for i in range(torch.len(tensors)):
      _0 = torch.append(v, torch._version(tensors[i]))
    return v

  # The same, or nothing unless all are the same memory as others in the same order.
  def versions_of_same(self, tensors: List[Tensor], others: List[Tensor]) -> List[int]:
    v = (self).versions(tensors)
    for i in range(torch.len(tensors)):
      if torch.is_set_to(tensors[i], others[i]):
        pass
      else:
        v = annotate(List[int], [])
    return v

  # (m / |d|) d per row, of d = w + s b a (out, in) and m of out elements. The norm is summed as |w| was, so
  # that a new adapter has the factor 1 exactly; it is a constant in backward.
  def turned(self, d: Tensor, m: Tensor) -> Tensor:
    n2 = (self).squared_row_norm(torch.detach(d))
    return torch.mul(d, torch.unsqueeze(torch.div(torch.flatten(m), torch.sqrt(torch.clamp_min(n2, 1e-24))), 1))

  # (g - 1) base + g update, of base and update (…, out) and g (out), as g (base + update) - base: only the sum is
  # kept for backward, in update's place. In a narrower type g would lose the small changes of m, which g - 1
  # keeps, and the difference would lose the update: there it is update + (g - 1) (base + update).
  def update(self, base: Tensor, update: Tensor, g: Tensor) -> Tensor:
    type = ops.prim.dtype(base)
    if torch.eq(type, 6):
      y = torch.sub_(torch.mul(torch.add_(update, base), g), base)
    else:
      u = torch.to(update, type)
      y = torch.addcmul(u, torch.add(base, u), torch.to(torch.sub(g, 1.), type))
    return y

  # For merge.ts.
  def merged_rows(self, before: Tensor, up: Tensor, a: Tensor, own: List[Tensor], start: int, updates: Tensor) -> List[Tensor]:
    direction = torch.add_(torch.mm(up, a, out=updates), before)
    after = (self).turned(direction, torch.narrow(torch.flatten(own[0]), 0, start, torch.size(before, 0)))
    return [torch.sub(after, before, out=updates), after]
