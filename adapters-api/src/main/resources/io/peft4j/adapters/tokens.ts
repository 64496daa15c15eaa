  # Some rows of a table: V entries of dimension D, n of them replaced.

  # (V, D), (n) -> (n, D) in float32, a copy
  def rows(self, table: Tensor, index: Tensor) -> Tensor:
    return torch.to(torch.index_select(torch.detach(table), 0, index), 6)

  def replaced_rows(self, table: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    return torch.index_copy(table, 0, index, rows)

  # the table transposed (D, V)
  def replaced_columns(self, table: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    return torch.index_copy(table, 1, index, torch.t(rows))

  # ids (...) and what was looked up for them (..., D); places (V): where an entry is in rows, or -1
  def looked_up(self, ids: Tensor, base: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    place = torch.embedding(torch.unsqueeze(places, 1), ids)
    own = torch.embedding(rows, torch.clamp_min(torch.squeeze(place, -1), 0))
    return torch.mul(torch.sub(own, base), torch.ge(place, 0))

  # h (..., D), what the table projected it to (..., V)
  def projected(self, h: Tensor, base: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    change = torch.sub(torch.linear(h, torch.to(rows, ops.prim.dtype(h))), torch.index_select(base, -1, index))
    return torch.index_copy(torch.zeros_like(base), -1, index, change)
