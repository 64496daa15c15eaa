package io.peft4j.hub;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Bytes of a file.
 *
 * @param start the first
 * @param end the one after the last
 */
record ByteRange(long start, long end) {

    long length() {
        return end - start;
    }

    /** The parts of {@code [0, size)} that none of some ranges covers, none longer than asked. */
    static List<ByteRange> gaps(List<ByteRange> covered, long size, long longest) {
        List<ByteRange> sorted = new ArrayList<>(covered);
        sorted.sort(Comparator.comparingLong(ByteRange::start));
        sorted.add(new ByteRange(size, size));
        List<ByteRange> gaps = new ArrayList<>();
        long at = 0;
        for (ByteRange range : sorted) {
            while (at < range.start) {
                long end = range.start - at > longest ? at + longest : range.start;
                gaps.add(new ByteRange(at, end));
                at = end;
            }
            at = Math.max(at, range.end);
        }
        return gaps;
    }
}
