  # A group of linear layers with one input x (T, in): weights W (out, in), biases b, of no elements where there is none,
  # and updates. Update i acts on layer at[i]. Its tensors are F[4 i] to F[4 i + 3]: A (r, in), B (out, r), the magnitude
  # m (out) and the norm (out), the last two of no elements where there is no gain. Its numbers are s[2 i], the scaling,
  # and s[2 i + 1], the reciprocal of the share of x that dropout keeps. K[i] tells which elements it keeps (T, in), of no
  # elements if all; K is empty if nothing is dropped anywhere. A layer has any number of updates without a gain, or one
  # with a gain.

  def is_some(self, x: Tensor) -> bool:
    return torch.gt(torch.numel(x), 0)

  def is_dropping(self, K: List[Tensor], i: int) -> bool:
    if torch.gt(torch.len(K), 0):
      dropping = (self).is_some(K[i])
    else:
      dropping = False
    return dropping

  # Elements of x that stay, not scaled.
  def kept(self, x: Tensor, K: List[Tensor], i: int) -> Tensor:
    if (self).is_dropping(K, i):
      y = torch.mul(x, K[i])
    else:
      y = x
    return y

  # g - 1, float32: rounded to low precision, g itself would lose small changes of m.
  def gain_less_one(self, F: List[Tensor], i: int) -> Tensor:
    return torch.sub_(torch.div(F[torch.add(torch.mul(i, 4), 2)], F[torch.add(torch.mul(i, 4), 3)]), 1)

  # All A's below each other (R, in), in x's type.
  def downs(self, x: Tensor, F: List[Tensor]) -> Tensor:
    n = torch.floordiv(torch.len(F), 4)
    if torch.eq(n, 1):
      a = F[0]
    else:
      all = annotate(List[Tensor], [])
      for i in range(n):
        _0 = torch.append(all, F[torch.mul(i, 4)])
      a = torch.cat(all, 0)
    return torch.to(a, ops.prim.dtype(x))

  # x A^T of all updates beside each other (T, R): one product, unless each drops other elements of x.
  def reduced(self, x: Tensor, F: List[Tensor], K: List[Tensor]) -> Tensor:
    n = torch.floordiv(torch.len(F), 4)
    if torch.eq(n, 0):
      u = torch.empty([torch.size(x, 0), 0], dtype=ops.prim.dtype(x), device=ops.prim.device(x))
    else:
      if torch.eq(torch.len(K), 0):
        u = torch.linear(x, (self).downs(x, F))
      else:
        all = annotate(List[Tensor], [])
        for i in range(n):
          a = torch.to(F[torch.mul(i, 4)], ops.prim.dtype(x))
          _0 = torch.append(all, torch.linear((self).kept(x, K, i), a))
        u = torch.cat(all, 1)
    return u

  # Returns what each layer gives (T, out), then u (T, R) of `reduced`, then for each update with a gain that drops
  # elements z = x~ W^T + s u B^T (T, out), which backward cannot find again.
  def project_trained(self, x: Tensor, W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], K: List[Tensor]) -> List[Tensor]:
    ys = annotate(List[Tensor], [])
    for j in range(torch.len(W)):
      _0 = torch.append(ys, (self).nt(x, W[j]))
    u = (self).reduced(x, F, K)
    zs = annotate(List[Tensor], [])
    start = 0
    for i in range(torch.len(at)):
      r = torch.size(F[torch.mul(i, 4)], 0)
      ui = torch.narrow(u, 1, start, r)
      start = torch.add(start, r)
      y = ys[at[i]]
      up = torch.t(torch.to(F[torch.add(torch.mul(i, 4), 1)], ops.prim.dtype(x)))
      keep = s[torch.add(torch.mul(i, 2), 1)]
      scale = torch.mul(s[torch.mul(i, 2)], keep)
      _1 = torch.addmm_(y, ui, up, beta=1, alpha=scale)
      if (self).is_some(F[torch.add(torch.mul(i, 4), 2)]):
        g = torch.to((self).gain_less_one(F, i), ops.prim.dtype(x))
        if (self).is_dropping(K, i):
          z = torch.addmm_((self).nt((self).kept(x, K, i), W[at[i]]), ui, up, beta=keep, alpha=scale)
          _2 = torch.addcmul_(y, z, g)
          _3 = torch.append(zs, z)
        else:
          _4 = torch.addcmul_(y, y, g)
      else:
        pass
    for j in range(torch.len(W)):
      if (self).is_some(b[j]):
        _5 = torch.add_(ys[j], b[j])
      else:
        pass
    _6 = torch.append(ys, u)
    for i in range(torch.len(zs)):
      _7 = torch.append(ys, zs[i])
    return ys

  # The same, or what each layer gives and a u of no columns if the updates are prepared, as they are where no backward
  # follows.
  def project(self, x: Tensor, W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], K: List[Tensor]) -> List[Tensor]:
    prepared = False
    if torch.gt(torch.len(at), 0):
      prepared = torch.lt(at[0], 0)
    else:
      pass
    if prepared:
      ys = (self).project_prepared(x, W, b, F, at, s)
      _0 = torch.append(ys, torch.narrow(x, 1, 0, 0))
    else:
      ys = (self).project_trained(x, W, b, F, at, s, K)
    return ys

  # Whether backward has a use for the layers' results.
  def has_gain(self, F: List[Tensor]) -> bool:
    some = False
    for i in range(torch.floordiv(torch.len(F), 4)):
      if (self).is_some(F[torch.add(torch.mul(i, 4), 2)]):
        some = True
      else:
        pass
    return some

  # Adds to the gradient that a trained tensor holds; a frozen one is left alone.
  def accumulate(self, leaf: Tensor, g: Tensor, alpha: float) -> bool:
    trained = ops.prim.requires_grad(leaf)
    if trained:
      _0 = torch.add_(unchecked_cast(Tensor, ops.prim.grad(leaf)), torch.view_as(g, leaf), alpha=alpha)
    else:
      pass
    return trained

  # The gradient of the magnitude: the sum over tokens of dy * z / norm, where z = x W^T + s u B^T. It is y g^-1; where g
  # is small, or 0, y has not kept it, and it is computed again. y has no bias in it, and is overwritten.
  def magnitude_backward(self, dy: Tensor, y: Tensor, x: Tensor, ui: Tensor, w: Tensor, F: List[Tensor], i: int, scale: float) -> bool:
    m = F[torch.add(torch.mul(i, 4), 2)]
    norm = F[torch.add(torch.mul(i, 4), 3)]
    if ops.prim.requires_grad(m):
      if bool(torch.any(torch.lt(torch.abs(m), torch.mul(norm, 0.0625)))):
        up = torch.t(torch.to(F[torch.add(torch.mul(i, 4), 1)], ops.prim.dtype(x)))
        z = torch.addmm_((self).nt(x, w), ui, up, beta=1, alpha=scale)
        dm = torch.div_(torch.sum(torch.mul_(z, dy), [0], False, dtype=6), norm)
      else:
        dm = torch.div_(torch.sum(torch.mul_(y, dy), [0], False, dtype=6), m)
      trained = (self).accumulate(m, dm, 1.)
    else:
      trained = False
    return trained

  # The gradient by x (T, in), of no elements unless it is asked for, of the gradients dys by the layers' results, which
  # are overwritten; adds the updates' gradients to those that their tensors hold. ys are the layers' results without
  # their biases, and are looked at, and overwritten, where there is a gain; so are zs, which come from `project`.
  def project_backward(self, dys: List[Tensor], ys: List[Tensor], zs: List[Tensor], x: Tensor, u: Tensor, W: List[Tensor], F: List[Tensor], at: List[int], s: List[float], K: List[Tensor], need_dx: bool) -> Tensor:
    n = torch.len(at)
    du = torch.empty_like(u)
    dxs = annotate(List[Tensor], []) # of the updates that drop elements
    start = 0
    number = 0
    for i in range(n):
      r = torch.size(F[torch.mul(i, 4)], 0)
      B = F[torch.add(torch.mul(i, 4), 1)]
      m = F[torch.add(torch.mul(i, 4), 2)]
      keep = s[torch.add(torch.mul(i, 2), 1)]
      scale = torch.mul(s[torch.mul(i, 2)], keep)
      ui = torch.narrow(u, 1, start, r)
      dui = torch.narrow(du, 1, start, r)
      start = torch.add(start, r)
      dy = dys[at[i]]
      dz = dy
      dropping = (self).is_dropping(K, i)
      if (self).is_some(m):
        g = torch.to((self).gain_less_one(F, i), ops.prim.dtype(x))
        if dropping:
          norm = F[torch.add(torch.mul(i, 4), 3)]
          _0 = (self).accumulate(m, torch.div_(torch.sum(torch.mul_(zs[number], dy), [0], False, dtype=6), norm), 1.)
          number = torch.add(number, 1)
          turned = torch.mul(dy, g)
          if need_dx:
            _1 = torch.append(dxs, torch.mul_(torch.mul_((self).nn(turned, W[at[i]]), K[i]), keep))
          else:
            pass
          dz = torch.add_(turned, dy)
        else:
          _2 = (self).magnitude_backward(dy, ys[at[i]], x, ui, W[at[i]], F, i, scale)
          dz = torch.addcmul_(dy, dy, g)
      else:
        pass
      _3 = (self).accumulate(B, torch.mm(torch.t(dz), ui), scale)
      _4 = torch.mul(torch.mm(dz, torch.to(B, ops.prim.dtype(x))), scale, out=dui)
    if torch.gt(n, 0):
      if torch.eq(torch.len(K), 0):
        dA = torch.mm(torch.t(du), x)
        start2 = 0
        for i in range(n):
          r2 = torch.size(F[torch.mul(i, 4)], 0)
          _5 = (self).accumulate(F[torch.mul(i, 4)], torch.narrow(dA, 0, start2, r2), 1.)
          start2 = torch.add(start2, r2)
      else:
        start3 = 0
        for i in range(n):
          r3 = torch.size(F[torch.mul(i, 4)], 0)
          dui3 = torch.narrow(du, 1, start3, r3)
          _6 = (self).accumulate(F[torch.mul(i, 4)], torch.mm(torch.t(dui3), (self).kept(x, K, i)), 1.)
          start3 = torch.add(start3, r3)
    else:
      pass
    if need_dx:
      dx = (self).nn(dys[0], W[0])
      for j in range(torch.sub(torch.len(W), 1)):
        _7 = torch.add_(dx, (self).nn(dys[torch.add(j, 1)], W[torch.add(j, 1)]))
      for j in range(torch.len(dxs)):
        _8 = torch.add_(dx, dxs[j])
      if torch.gt(n, 0):
        if torch.eq(torch.len(K), 0):
          _9 = torch.addmm_(dx, du, (self).downs(x, F), beta=1, alpha=1)
        else:
          start4 = 0
          for i in range(n):
            A4 = torch.to(F[torch.mul(i, 4)], ops.prim.dtype(x))
            r4 = torch.size(A4, 0)
            dx4 = torch.mm(torch.narrow(du, 1, start4, r4), A4)
            start4 = torch.add(start4, r4)
            _10 = torch.add_(dx, (self).kept(dx4, K, i))
      else:
        pass
    else:
      dx = torch.empty([0], dtype=ops.prim.dtype(x), device=ops.prim.device(x))
    return dx
