  # The second half of a layer: h + down(silu(gate) * up) of the norm of h (B, S, H), gate and up fused or not.
  # Shapes: T = B S tokens, F the inner width. W1 … K1 are the group of gate and up, W2 … K2 that of down.

  # (T, 2 F) or twice (T, F) -> twice (T, F), views of a fused one.
  def gate_up(self, ys: List[Tensor], layers: int) -> Tuple[Tensor, Tensor]:
    if torch.eq(layers, 1):
      f = torch.floordiv(torch.size(ys[0], 1), 2)
      gate = torch.narrow(ys[0], 1, 0, f)
      up = torch.narrow(ys[0], 1, f, f)
    else:
      gate = ys[0]
      up = ys[1]
    return (gate, up)

  # down(c silu(gate) up) of x (T, H). c is one weight per token (T, 1), or none: a down without a bias gives c times what
  # it would give, and the gradient by c needs no result. spare is memory for T F elements or more, or none. Returns the
  # result, and what backward needs: u2, then how project1 and project2 end, ys1 with the former.
  def gated(self, x: Tensor, c: List[Tensor], spare: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor]) -> List[Tensor]:
    p1 = (self).project(x, W1, b1, F1, at1, s1, K1)
    gate, up = (self).gate_up(p1, torch.len(W1))
    if torch.gt(torch.len(spare), 0):
      a = torch.silu(gate, out=torch.view(torch.narrow(spare[0], 0, 0, torch.numel(gate)), torch.size(gate)))
    else:
      a = torch.silu(gate)
    a = torch.mul_(a, up)
    if torch.gt(torch.len(c), 0):
      a = torch.mul_(a, c[0])
    else:
      pass
    p2 = (self).project(a, W2, b2, F2, at2, s2, K2)
    results = [p2[0], p2[1]]
    for i in range(torch.len(p1)):
      _0 = torch.append(results, p1[i])
    for i in range(torch.sub(torch.len(p2), 2)):
      _1 = torch.append(results, p2[torch.add(i, 2)])
    return results

  # The gradients by x, of no elements unless it is asked for, and by c, float32, of no elements if there is none, of the
  # gradient dy by the result, which is overwritten, as is what is saved. y is the result, and is looked at where down has a
  # gain; saved is what `gated` returned behind it. No more than two tensors of the inner width are made for unfused gate
  # and up, and three for fused ones, one more each with weights: silu(gate) is computed twice.
  def gated_backward(self, dy: Tensor, y: Tensor, x: Tensor, c: List[Tensor], saved: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], need_dx: bool) -> Tuple[Tensor, Tensor]:
    layers = torch.len(W1)
    ys1 = torch.slice(saved, 1, torch.add(1, layers), 1)
    u1 = saved[torch.add(1, layers)]
    zs1 = (self).zs_of(saved, torch.add(2, layers), F1, K1)
    zs2 = (self).zs_of(saved, torch.add(torch.add(2, layers), torch.len(zs1)), F2, K2)
    gate, up = (self).gate_up(ys1, layers)
    dys1 = annotate(List[Tensor], [])
    if torch.eq(layers, 1):
      _0 = torch.append(dys1, torch.empty_like(ys1[0]))
      _1, dup = (self).gate_up(dys1, layers)
      a = torch.mul_(torch.silu(gate, out=dup), up)
    else:
      a = torch.mul_(torch.silu(gate), up)
    if torch.gt(torch.len(c), 0):
      input = torch.mul(a, c[0])
    else:
      input = a
    da = (self).project_backward([dy], (self).unbiased([y], b2, F2), zs2, input, saved[0], W2, F2, at2, s2, K2, True)
    if torch.gt(torch.len(c), 0):
      dc = torch.sum(torch.mul(da, a, out=input), [-1], True, dtype=6)
      da = torch.mul_(da, c[0])
    else:
      dc = torch.empty([0], dtype=6, device=ops.prim.device(x))
    dup = torch.mul_(torch.silu(gate, out=a), da)
    da = torch.mul_(da, up)
    if torch.eq(layers, 1):
      dgate, _2 = (self).gate_up(dys1, layers)
      _3 = torch.silu_backward(da, gate, grad_input=dgate)
    else:
      dys1 = [torch.silu_backward(da, gate, grad_input=da), dup]
    dx = (self).project_backward(dys1, (self).unbiased(ys1, b1, F1), zs1, x, u1, W1, F1, at1, s1, K1, need_dx)
    return (dx, dc)

  # Returns the result, and what backward needs: r, y of a down with a gain, what `gated` returned behind its result.
  def feed_forward(self, h: Tensor, norms: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], spare: List[Tensor], numbers: List[float], save: bool) -> List[Tensor]:
    h2 = torch.view(h, [-1, torch.size(h, -1)])
    n, r = (self).norm(h2, norms[0], numbers[0])
    g = (self).gated(n, annotate(List[Tensor], []), spare, W1, b1, F1, at1, s1, K1, W2, b2, F2, at2, s2, K2)
    if torch.__and__((self).has_gain(F2), save):
      y = g[0]
      result = torch.add(y, h2)
    else:
      y = torch.empty([0], dtype=ops.prim.dtype(h), device=ops.prim.device(h))
      result = torch.add_(g[0], h2)
    saved = [torch.view(result, torch.size(h))]
    if save:
      _0 = torch.append(saved, r)
      _1 = torch.append(saved, y)
      for i in range(torch.sub(torch.len(g), 1)):
        _2 = torch.append(saved, g[torch.add(i, 1)])
    else:
      pass
    return saved

  # Adds to dh, the gradient by the result, what makes it the gradient by h.
  def feed_forward_backward(self, dh3: Tensor, h: Tensor, saved: List[Tensor], norms: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], numbers: List[float], need_dx: bool) -> Tensor:
    hidden = torch.size(h, -1)
    h2 = torch.view(h, [-1, hidden])
    dh = torch.view(dh3, [-1, hidden])
    r = saved[1]
    if (self).has_gain(F2):
      dy = torch.clone(dh)
    else:
      dy = dh
    rest = torch.slice(saved, 3, torch.len(saved), 1)
    n = (self).normed(h2, r, norms[0])
    dn, _0 = (self).gated_backward(dy, saved[2], n, annotate(List[Tensor], []), rest, W1, b1, F1, at1, s1, K1, W2, b2, F2, at2, s2, K2, need_dx)
    if need_dx:
      _1 = torch.add_(dh, (self).norm_backward(dn, h2, r, norms[0]))
    else:
      pass
    return dh3

  # As many tensors from an index on as `project` has ended with.
  def zs_of(self, saved: List[Tensor], start: int, F: List[Tensor], K: List[Tensor]) -> List[Tensor]:
    n = 0
    for i in range(torch.floordiv(torch.len(F), 4)):
      if torch.__and__((self).is_some(F[torch.add(torch.mul(i, 4), 2)]), (self).is_dropping(K, i)):
        n = torch.add(n, 1)
      else:
        pass
    return torch.slice(saved, start, torch.add(start, n), 1)

  # What layers gave before their biases; as it is where nobody looks at it.
  def unbiased(self, ys: List[Tensor], b: List[Tensor], F: List[Tensor]) -> List[Tensor]:
    all = annotate(List[Tensor], [])
    gain = (self).has_gain(F)
    for j in range(torch.len(ys)):
      if torch.__and__(gain, (self).is_some(b[j])):
        _0 = torch.append(all, torch.sub(ys[j], b[j]))
      else:
        _1 = torch.append(all, ys[j])
    return all
