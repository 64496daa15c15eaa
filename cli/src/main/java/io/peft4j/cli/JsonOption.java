package io.peft4j.cli;

import com.google.gson.JsonElement;
import java.util.function.Supplier;
import picocli.CommandLine.Option;

/** The flag for programs that read what a command prints. */
final class JsonOption {

    @Option(names = "--json", description = "Prints one JSON object.")
    private boolean json;

    /** Chooses what to print, and makes no more than that. */
    String text(Supplier<? extends JsonElement> object, Supplier<String> forPeople) {
        return json ? Json.text(object.get()) + "\n" : forPeople.get();
    }
}
