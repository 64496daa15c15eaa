  # A group of linear layers with one input x (T, in): weights W (out, in), biases b, of no elements where there is none,
  # and updates. Update i acts on layer at[i]. Its tensors are F[4 i] to F[4 i + 3]: A (r, in), B (out, r), the magnitude
  # m (out) and the norm (out), the last two of no elements where there is no gain. Its numbers are s[2 i], its scaling,
  # and s[2 i + 1], the reciprocal of the share of x that dropout keeps. K[i] tells which elements those are (T, in), of
  # no elements if all; K is empty if nothing is dropped anywhere.

  def is_some(self, x: Tensor) -> bool:
    return torch.gt(torch.numel(x), 0)

  def is_dropping(self, K: List[Tensor], i: int) -> bool:
    if torch.gt(torch.len(K), 0):
      dropping = (self).is_some(K[i])
    else:
      dropping = False
    return dropping

  def kept(self, x: Tensor, K: List[Tensor], i: int) -> Tensor:
    if (self).is_dropping(K, i):
      y = torch.mul(x, K[i])
    else:
      y = x
    return y

  # g - 1, float32: rounded to low precision, g itself would lose small changes of m.
  def gain_less_one(self, F: List[Tensor], i: int) -> Tensor:
    return torch.sub_(torch.div(F[torch.add(torch.mul(i, 4), 2)], F[torch.add(torch.mul(i, 4), 3)]), 1)

  # The A's that see all of x, below each other.
  def downs(self, like: Tensor, F: List[Tensor], at: List[int], K: List[Tensor]) -> List[Tensor]:
    all = annotate(List[Tensor], [])
    for i in range(torch.len(at)):
      if torch.__not__((self).is_dropping(K, i)):
        _0 = torch.append(all, F[torch.mul(i, 4)])
      else:
        pass
    if torch.gt(torch.len(all), 1):
      one = [torch.to(torch.cat(all, 0), ops.prim.dtype(like))]
    else:
      if torch.eq(torch.len(all), 1):
        one = [torch.to(all[0], ops.prim.dtype(like))]
      else:
        one = annotate(List[Tensor], [])
    return one

  # x A^T (T, r) of each update, in order: of those that see all of x in one product.
  def reduced(self, x: Tensor, F: List[Tensor], at: List[int], K: List[Tensor]) -> List[Tensor]:
    us = annotate(List[Tensor], [])
    a = (self).downs(x, F, at, K)
    start = 0
    for i in range(torch.len(at)):
      A = F[torch.mul(i, 4)]
      if (self).is_dropping(K, i):
        _0 = torch.append(us, torch.linear((self).kept(x, K, i), torch.to(A, ops.prim.dtype(x))))
      else:
        if torch.eq(start, 0):
          u = torch.linear(x, a[0])
        else:
          u = us[0]
        _1 = torch.append(us, u)
        start = torch.add(start, torch.size(A, 0))
    return us
