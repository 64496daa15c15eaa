  # Memory for what layers keep for backward: where it is filled to, (2) int64 on the host, a block and how many of its
  # bytes, then blocks of bytes, which stay from one pass to the next.

  def no_memory(self) -> List[Tensor]:
    return [torch.zeros([2], dtype=4)]

  def emptied(self, memory: List[Tensor]) -> List[Tensor]:
    _0 = torch.zero_(memory[0])
    return memory

  # Takes some of its bytes, from the first block on that has as many left, a new one if need be: the block, and where they
  # begin. A block is large, so that few ends stay empty; the system gives no page before it is written to.
  def taken(self, memory: List[Tensor], count: int) -> Tuple[Tensor, int]:
    at = int(torch.select(memory[0], 0, 0))
    start = int(torch.select(memory[0], 0, 1))
    found = False
    for i in range(torch.sub(torch.sub(torch.len(memory), 1), at)):
      if found:
        pass
      else:
        if torch.ge(torch.sub(torch.numel(memory[torch.add(at, 1)]), start), count):
          found = True
        else:
          at = torch.add(at, 1)
          start = 0
    if found:
      pass
    else:
      _0 = torch.append(memory, torch.empty([ops.prim.max(count, 268435456)], dtype=0))
    end = torch.mul(torch.floordiv(torch.add(torch.add(start, count), 63), 64), 64)
    _1 = torch.fill_(torch.select(memory[0], 0, 0), at)
    _2 = torch.fill_(torch.select(memory[0], 0, 1), end)
    return (memory[torch.add(at, 1)], start)

  # x in such memory, laid out as it was.
  def moved(self, x: Tensor, memory: List[Tensor]) -> Tensor:
    width = torch.element_size(x)
    if torch.gt(torch.numel(x), 0):
      block, start = (self).taken(memory, torch.mul(torch.numel(x), width))
      layout = torch.stride(torch.empty_like(x, device=torch.device("meta")))
      place = torch.empty([0], dtype=ops.prim.dtype(x))
      y = torch.copy_(torch.set_(place, block, torch.floordiv(start, width), torch.size(x), layout), x)
    else:
      y = x
    return y

  def all_moved(self, tensors: List[Tensor], memory: List[Tensor]) -> List[Tensor]:
    all = annotate(List[Tensor], [])
    for i in range(torch.len(tensors)):
      _0 = torch.append(all, (self).moved(tensors[i], memory))
    return all
