  # Whether oneDNN has instructions of this processor for a type, without which libtorch multiplies in a plain loop.
  def has_bfloat16(self) -> List[int]:
    return [int(ops.mkldnn._is_mkldnn_bf16_supported())]
  def has_float16(self) -> List[int]:
    return [int(ops.mkldnn._is_mkldnn_fp16_supported())]
