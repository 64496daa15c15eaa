  # Shapes: D rotated dimensions of a head, S positions. All in float32, in the order of operations
  # of the published code.

  # (D/2): theta^(2 i / D)
  def powers(self, dim: Tensor, theta: Tensor, like: Tensor) -> Tensor:
    d = int(dim)
    exponents = torch.div(torch.arange(0, d, 2, dtype=6, device=ops.prim.device(like)), d)
    return torch.pow(float(theta), exponents)

  def plain(self, powers: Tensor) -> Tensor:
    return torch.reciprocal(powers)

  def linear(self, powers: Tensor, factor: Tensor) -> Tensor:
    return torch.div(torch.reciprocal(powers), float(factor))

  def llama3(self, powers: Tensor, factor: Tensor, low: Tensor, high: Tensor, length: Tensor) -> Tensor:
    f = float(factor)
    original = float(length)
    longest = torch.div(original, float(low))
    shortest = torch.div(original, float(high))
    inverse = torch.reciprocal(powers)
    wavelength = torch.mul(torch.reciprocal(inverse), 6.283185307179586)
    scaled = torch.where(torch.gt(wavelength, longest), torch.div(inverse, f), inverse)
    blend = torch.div(torch.sub(torch.mul(torch.reciprocal(wavelength), original), float(low)), torch.sub(float(high), float(low)))
    blended = torch.add(torch.div(torch.mul(torch.rsub(blend, 1), scaled), f), torch.mul(blend, scaled))
    between = torch.logical_and(torch.ge(wavelength, shortest), torch.le(wavelength, longest))
    return torch.where(between, blended, scaled)

  def longrope(self, powers: Tensor, divisors: Tensor) -> Tensor:
    return torch.reciprocal(torch.mul(divisors, powers))

  # (S, D/2) each: cosine and sine of position times frequency, times the amplitude.
  def table(self, frequencies: Tensor, length: Tensor, amplitude: Tensor) -> Tuple[Tensor, Tensor]:
    a = float(amplitude)
    positions = torch.arange(int(length), dtype=6, device=ops.prim.device(frequencies))
    angles = torch.outer(positions, frequencies)
    return (torch.mul(torch.cos(angles), a), torch.mul(torch.sin(angles), a))
