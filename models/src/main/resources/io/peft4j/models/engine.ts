  # What a pass needs around its layers.

  def first(self, results: List[Tensor]) -> Tensor:
    return results[0]

  def embed(self, table: Tensor, ids: Tensor) -> Tensor:
    return torch.embedding(table, ids)

  # x / sqrt(mean(x^2) + eps) w over the last axis.
  def last_norm(self, x: Tensor, norms: List[Tensor], numbers: List[float]) -> Tensor:
    y, _0 = (self).norm(x, norms[0], numbers[0])
    return y

  # Memory for as many elements of h's type.
  def spare(self, h: Tensor, dims: List[int]) -> List[Tensor]:
    return [torch.empty([dims[0]], dtype=ops.prim.dtype(h), device=ops.prim.device(h))]

  # The trained tensors that hold no gradient yet.
  def bare(self, leaves: List[Tensor]) -> List[Tensor]:
    all = annotate(List[Tensor], [])
    for i in range(torch.len(leaves)):
      if torch.__and__(ops.prim.requires_grad(leaves[i]), torch.__is__(ops.prim.grad(leaves[i]), None)):
        _0 = torch.append(all, leaves[i])
      else:
        pass
    return all

  # A scalar whose gradient by each leaf is zero.
  def nothing_of(self, leaves: List[Tensor]) -> Tensor:
    total = torch.sum(torch.mul(leaves[0], 0.))
    for i in range(torch.sub(torch.len(leaves), 1)):
      total = torch.add(total, torch.sum(torch.mul(leaves[torch.add(i, 1)], 0.)))
    return total

  # A mask (B, S, keys) for the heads of (B hk, rep, S, D); one that is the same for all rows stays one.
  def folded_mask(self, mask: Tensor, dims: List[int]) -> List[Tensor]:
    if torch.eq(torch.size(mask, 0), 1):
      m = torch.unsqueeze(mask, 1)
    else:
      m = torch.unsqueeze(torch.repeat_interleave(mask, dims[0], 0), 1)
    return [m]

  def second(self, results: List[Tensor]) -> Tensor:
    return results[1]
