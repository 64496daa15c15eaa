  # What adapters add to a group of linear layers, as `project_prepared` takes it. F are the updates' tensors, four for each
  # as in projection.ts, part by part; counts says how many updates each part of the batch has. For each part that has
  # any: all A^T beside each other (in, R), then for each update B^T (r, out) and, if there is a gain, g - 1 (out). All in
  # the type of the base weight `like`, and laid out as they are read: products with one token, and with many, are up to
  # several times faster than with transposed views.
  def prepare(self, like: Tensor, F: List[Tensor], counts: List[int]) -> List[Tensor]:
    all = annotate(List[Tensor], [])
    type = ops.prim.dtype(like)
    first = 0
    for p in range(torch.len(counts)):
      n = counts[p]
      if torch.gt(n, 0):
        downs = annotate(List[Tensor], [])
        for i in range(n):
          _0 = torch.append(downs, F[torch.mul(torch.add(first, i), 4)])
        _1 = torch.append(all, torch.contiguous(torch.t(torch.to(torch.cat(downs, 0), type))))
        for i in range(n):
          f = torch.mul(torch.add(first, i), 4)
          m = F[torch.add(f, 2)]
          _2 = torch.append(all, torch.contiguous(torch.t(torch.to(F[torch.add(f, 1)], type))))
          if torch.gt(torch.numel(m), 0):
            g = torch.sub_(torch.div(m, F[torch.add(f, 3)]), 1) # float32: rounded to low precision, g itself would lose small changes of m
            _3 = torch.append(all, torch.to(g, type))
          else:
            pass
        first = torch.add(first, n)
      else:
        pass
    return all

  # How often tensors were written to, all together: more after any write.
  def writes(self, tensors: List[Tensor]) -> List[int]:
    count = 0
    for i in range(torch.len(tensors)):
      count = torch.add(count, torch._version(tensors[i]))
    return [count]
