  # The end of the model, for the N tokens whose next one has a label: norm, head and cross-entropy, chunk by chunk, so that
  # logits (N, V) never exist whole. h is (B, S, H), rows (N) says which tokens, W … s is the head's group, and numbers the
  # epsilon of the norm and the temperature, which logits are divided by.

  # Logits z, float32, at a temperature, in their place.
  def tempered(self, z: Tensor, temperature: float) -> Tensor:
    if torch.ne(temperature, 1.):
      y = torch.div_(z, temperature)
    else:
      y = z
    return y

  # The softmax of z (N, V), float32, in its place, and the losses (N), written into the last argument. The largest
  # probability is 1 / V at least, and the logarithm of it tells that of the sum.
  def softmax_and_losses(self, z: Tensor, target: Tensor, losses: Tensor) -> Tensor:
    wanted = torch.gather(z, 1, target)
    largest = torch.amax(z, [-1], True)
    if ops.prim.is_cpu(z):
      p = torch.softmax(z, -1, None, out=z)
    else:
      p = torch.softmax(z, -1)
    sums = torch.sub_(largest, torch.log_(torch.amax(p, [-1], True)))
    _0 = torch.copy_(losses, torch.squeeze(torch.sub_(sums, wanted), 1))
    return p

  # The losses (N), float32, and the gradient by h of their sum, each times its factor; factors is (N), or (1) if all have
  # the same. Also adds the gradients of the head's updates.
  def head(self, h: Tensor, rows: Tensor, targets: Tensor, factors: Tensor, norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], chunk: List[int], numbers: List[float]) -> List[Tensor]:
    h2 = torch.view(h, [-1, torch.size(h, -1)])
    x = torch.index_select(h2, 0, rows)
    n, r = (self).norm(x, norms[0], numbers[0])
    count = torch.size(x, 0)
    size = chunk[0]
    each = torch.unsqueeze(torch.expand(torch.div(factors, numbers[1]), [count]), 1)
    none = annotate(List[Tensor], [])
    losses = torch.empty([count], dtype=6, device=ops.prim.device(h))
    for i in range(torch.floordiv(torch.sub(torch.add(count, size), 1), size)):
      start = torch.mul(i, size)
      length = ops.prim.min(size, torch.sub(count, start))
      xi = torch.narrow(n, 0, start, length)
      target = torch.unsqueeze(torch.narrow(targets, 0, start, length), 1)
      p = (self).project(xi, W, b, F, at, s, none)
      u = p[1]
      ys = none
      if (self).has_gain(F):
        ys = [p[0]]
        z = torch.to(p[0], 6, False, True)
      else:
        z = torch.to(p[0], 6)
      g = (self).softmax_and_losses((self).tempered(z, numbers[1]), target, torch.narrow(losses, 0, start, length))
      _1 = torch.scatter_add_(g, 1, target, torch.full([length, 1], -1., dtype=6, device=ops.prim.device(h)))
      gl = torch.to(torch.mul_(g, torch.narrow(each, 0, start, length)), ops.prim.dtype(h))
      dx = (self).project_backward([gl], ys, none, xi, u, W, F, at, s, none, True)
      _2 = torch.copy_(xi, dx)
    dh = torch.zeros(torch.size(h2), dtype=ops.prim.dtype(h), device=ops.prim.device(h))
    _3 = torch.index_copy_(dh, 0, rows, torch.to((self).norm_backward(n, x, r, norms[0]), ops.prim.dtype(h)))
    return [losses, torch.view(dh, torch.size(h))]

  # The losses (N), float32, alone.
  def head_losses(self, h: Tensor, rows: Tensor, targets: Tensor, norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], chunk: List[int], numbers: List[float]) -> Tensor:
    x = torch.index_select(torch.view(h, [-1, torch.size(h, -1)]), 0, rows)
    n, r = (self).norm(x, norms[0], numbers[0])
    count = torch.size(x, 0)
    size = chunk[0]
    losses = torch.empty([count], dtype=6, device=ops.prim.device(h))
    for i in range(torch.floordiv(torch.sub(torch.add(count, size), 1), size)):
      start = torch.mul(i, size)
      length = ops.prim.min(size, torch.sub(count, start))
      p = (self).project(torch.narrow(n, 0, start, length), W, b, F, at, s, annotate(List[Tensor], []))
      lp = torch.log_softmax(torch.to(p[0], 6), -1)
      target = torch.unsqueeze(torch.narrow(targets, 0, start, length), 1)
      _0 = torch.neg(torch.squeeze(torch.gather(lp, 1, target), 1), out=torch.narrow(losses, 0, start, length))
    return losses

  # What is told of the predictions (N, 4), see token_scores.ts.
  def head_scores(self, h: Tensor, rows: Tensor, targets: Tensor, norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], chunk: List[int], numbers: List[float]) -> Tensor:
    x = torch.index_select(torch.view(h, [-1, torch.size(h, -1)]), 0, rows)
    n, r = (self).norm(x, norms[0], numbers[0])
    count = torch.size(x, 0)
    size = chunk[0]
    told = torch.empty([count, 4], dtype=6, device=ops.prim.device(h))
    for i in range(torch.floordiv(torch.sub(torch.add(count, size), 1), size)):
      start = torch.mul(i, size)
      length = ops.prim.min(size, torch.sub(count, start))
      p = (self).project(torch.narrow(n, 0, start, length), W, b, F, at, s, annotate(List[Tensor], []))
      _0 = torch.copy_(torch.narrow(told, 0, start, length), (self).token_scores((self).tempered(torch.to(p[0], 6), numbers[1]), torch.narrow(targets, 0, start, length)))
    return told

  # Logits (B, V), float32, of the last tokens of h (B, S, H): what comes after them.
  def last_logits(self, h: Tensor, norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], numbers: List[float]) -> Tensor:
    x = torch.contiguous(torch.select(h, 1, -1))
    n, _0 = (self).norm(x, norms[0], numbers[0])
    return torch.to((self).project(n, W, b, F, at, s, annotate(List[Tensor], []))[0], 6)
