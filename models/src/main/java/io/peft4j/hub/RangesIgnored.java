package io.peft4j.hub;

import java.io.IOException;

/** A server that answers a request for a range with the whole file. */
final class RangesIgnored extends IOException {

    private static final long serialVersionUID = 1L;

    RangesIgnored() {
        super("the server gives whole files only");
    }
}
