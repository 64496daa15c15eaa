# Sourced by peft4j and benchmarks/start: what the Java process of a training runs with.

export OPT_OUT_TRACKING=true
export TORCH_CPP_LOG_LEVEL=${TORCH_CPP_LOG_LEVEL:-ERROR}
# threads that spin while they wait slow each other down when there are more of them than cores
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
# glibc cannot put a tensor where one of its size was freed if small blocks were left beside it: it joins them again
# once it sets none aside. Freed memory stays with the process, for the next step asks for as much again: without the
# last three, the kernel would take it back and give new pages, filled with zeros, several thousand times a step. A
# top_pad of less than a heap of glibc's, 64 MiB, would give back whole heaps.
keep_freed=glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=4000000000:glibc.malloc.mmap_threshold=33554432
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:$keep_freed}

# a step makes little garbage: without a limit, what is set aside for it grows with the machine
# shellcheck disable=SC2034  # it is for whoever sources this
java_options=(-XX:+UseSerialGC -Xmn32m -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.awt.headless=true -Dfile.encoding=UTF-8)
