package io.peft4j.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DespiteFailuresTest {

    private final List<String> done = new ArrayList<>();

    private void close(String name) throws IOException {
        done.add(name);
        if (name.startsWith("bad")) {
            throw new IOException(name);
        }
        if (name.startsWith("worse")) {
            throw new IllegalStateException(name);
        }
    }

    @Test
    void eachIsDoneAndTheFirstFailureHasTheOthers() {
        assertThatThrownBy(
                        () ->
                                DespiteFailures.each(
                                        List.of("one", "bad", "two", "worse", "bad too", "three"),
                                        this::close))
                .isInstanceOf(IOException.class)
                .hasMessage("bad")
                .satisfies(
                        e ->
                                assertThat(e.getSuppressed())
                                        .extracting(Throwable::getMessage)
                                        .containsExactly("worse", "bad too"));
        assertThat(done).containsExactly("one", "bad", "two", "worse", "bad too", "three");
    }

    @Test
    void anUncheckedFailureIsThrownAsItIs() {
        assertThatThrownBy(() -> DespiteFailures.each(List.of("worse", "one"), this::close))
                .isInstanceOf(IllegalStateException.class);
        assertThat(done).containsExactly("worse", "one");
    }

    @Test
    void withoutAFailureNothingIsThrown() throws IOException {
        DespiteFailures.each(List.of("one", "two"), this::close);
        assertThat(done).containsExactly("one", "two");
    }
}
