  # A group of linear layers as in projection.ts, without backward, with what preparing.ts made of the updates: P are its
  # tensors, s the scaling of each update. at tells which rows of the batch each update is for:
  #   - B, the number of parts, then for each part: first row, rows, number of updates, then for each of them: its layer,
  #   its rank, and 1 if it has a gain.
  # B is the number of rows of the batch, of which x (T, in) has T / B tokens each; the minus tells such an `at` from one
  # of layers.
  def project_prepared(self, x: Tensor, W: List[Tensor], b: List[Tensor], P: List[Tensor], at: List[int], s: List[float]) -> List[Tensor]:
    ys = annotate(List[Tensor], [])
    for j in range(torch.len(W)):
      _0 = torch.append(ys, (self).nt(x, W[j]))
    tokens = torch.floordiv(torch.size(x, 0), torch.neg(at[0]))
    next = 2
    tensor = 0
    number = 0
    for p in range(at[1]):
      start = torch.mul(at[next], tokens)
      count = torch.mul(at[torch.add(next, 1)], tokens)
      n = at[torch.add(next, 2)]
      next = torch.add(next, 3)
      if torch.gt(n, 0):
        u = torch.mm(torch.narrow(x, 0, start, count), P[tensor])
        tensor = torch.add(tensor, 1)
        column = 0
        for i in range(n):
          y = torch.narrow(ys[at[next]], 0, start, count)
          r = at[torch.add(next, 1)]
          _1 = torch.addmm_(y, torch.narrow(u, 1, column, r), P[tensor], beta=1, alpha=s[number])
          column = torch.add(column, r)
          number = torch.add(number, 1)
          tensor = torch.add(tensor, 1)
          if torch.gt(at[torch.add(next, 2)], 0):
            _2 = torch.addcmul_(y, y, P[tensor])
            tensor = torch.add(tensor, 1)
          else:
            pass
          next = torch.add(next, 3)
      else:
        pass
    for j in range(torch.len(W)):
      if (self).is_some(b[j]):
        _3 = torch.add_(ys[j], b[j])
      else:
        pass
    return ys
