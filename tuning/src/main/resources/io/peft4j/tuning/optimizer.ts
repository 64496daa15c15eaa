  # The gradient that a leaf holds; the caller knows that there is one.
  def gradient(self, leaf: Tensor) -> Tensor:
    return unchecked_cast(Tensor, ops.prim.grad(leaf))

  # The version of each leaf's gradient, which every write to it raises; -1 where none was ever made.
  def versions(self, leaves: List[Tensor]) -> Tensor:
    v = annotate(List[int], [])
    for i in range(torch.len(leaves)):
      if torch.__is__(ops.prim.grad(leaves[i]), None):
        _0 = torch.append(v, -1)
      else:
        _1 = torch.append(v, torch._version((self).gradient(leaves[i])))
    return torch.tensor(v, dtype=4)

  # Fills the gradients that exist with zeros, a NaN included.
  def zero(self, leaves: List[Tensor]) -> Tensor:
    for i in range(torch.len(leaves)):
      if torch.__isnot__(ops.prim.grad(leaves[i]), None):
        _0 = torch.zero_((self).gradient(leaves[i]))
    return (self).versions(leaves)

  # torch.nn.utils.clip_grad_norm_; max_norm 0 leaves the gradients alone. Returns the norm before.
  # Writes past the version counter: that of a gradient tells who got one in backward.
  def clip(self, leaves: List[Tensor], max_norm: Tensor) -> Tensor:
    norms = annotate(List[Tensor], [])
    for i in range(torch.len(leaves)):
      if torch.__isnot__(ops.prim.grad(leaves[i]), None):
        _0 = torch.append(norms, torch.linalg_vector_norm((self).gradient(leaves[i]), 2))
    if torch.eq(torch.len(norms), 0):
      total = torch.zeros([], dtype=6)
    else:
      total = torch.linalg_vector_norm(torch.stack(norms), 2)
      limit = float(max_norm)
      if torch.gt(limit, 0.):
        # Python's float / tensor is the reciprocal times the float
        c = torch.clamp(torch.mul(torch.reciprocal(torch.add(total, 1e-6)), limit), None, 1.)
        for i in range(torch.len(leaves)):
          if torch.__isnot__(ops.prim.grad(leaves[i]), None):
            _1 = torch.mul_(ops.prim.data((self).gradient(leaves[i])), c)
    return total

  # hyper is rate, beta1, beta2, eps, decay.
  def fused(self, p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], steps: List[Tensor], hyper: Tensor) -> Tensor:
    for i in range(torch.len(p)):
      _0 = torch.add_(steps[i], 1)
    torch._fused_adamw_(p, g, m, v, annotate(List[Tensor], []), steps, lr=float(torch.select(hyper, 0, 0)), beta1=float(torch.select(hyper, 0, 1)), beta2=float(torch.select(hyper, 0, 2)), weight_decay=float(torch.select(hyper, 0, 4)), eps=float(torch.select(hyper, 0, 3)), amsgrad=False, maximize=False)
    # this operation alone does not count as a write, by which others tell that what they keep is out of date
    for i in range(torch.len(p)):
      _1 = torch.zero_(torch.narrow(p[i], 0, 0, 0))
    return hyper

  # One AdamW step of parameters that all hold a gradient.
  def adamw(self, p: List[Tensor], m: List[Tensor], v: List[Tensor], steps: List[Tensor], hyper: Tensor) -> Tensor:
    g = annotate(List[Tensor], [])
    for i in range(torch.len(p)):
      _0 = torch.append(g, (self).gradient(p[i]))
    return (self).fused(p, g, m, v, steps, hyper)

  # One AdamW step by given gradients, which stay as they are; hyper goes on with the factor of each gradient and the
  # limit of its elements, none if negative.
  def adamw_by(self, p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], steps: List[Tensor], hyper: Tensor) -> Tensor:
    factor = float(torch.select(hyper, 0, 5))
    limit = float(torch.select(hyper, 0, 6))
    scaled = annotate(List[Tensor], [])
    for i in range(torch.len(g)):
      x = g[i]
      if torch.ne(factor, 1.):
        x = torch.mul(x, factor)
      if torch.ge(limit, 0.):
        x = torch.clamp(x, torch.neg(limit), limit)
      _0 = torch.append(scaled, x)
    return (self).fused(p, scaled, m, v, steps, hyper)
