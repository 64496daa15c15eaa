package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.models.ModelConfig;
import io.peft4j.serving.Server;
import io.peft4j.serving.ServerCheck;
import io.peft4j.serving.ServerFinding;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a server would make of an adapter as it is. */
final class ServerFacts {

    private ServerFacts() {}

    static void add(JsonObject facts, Server server, Path adapter, @Nullable Path base)
            throws IOException {
        ModelConfig model = base == null ? null : ModelConfig.read(base.resolve("config.json"));
        List<ServerFinding> found = ServerCheck.of(server, adapter, model);
        facts.addProperty("server", server.toString());
        facts.addProperty("server_verdict", verdict(found));
        JsonArray findings = new JsonArray();
        for (ServerFinding finding : found) {
            JsonObject row = new JsonObject();
            row.addProperty("outcome", finding.outcome().name().toLowerCase(Locale.ROOT));
            row.addProperty("finding", finding.text());
            findings.add(row);
        }
        facts.add("server_findings", findings);
    }

    private static String verdict(List<ServerFinding> found) {
        if (found.stream().anyMatch(f -> f.outcome() == ServerFinding.Outcome.REFUSED)) {
            return "refused";
        }
        if (found.stream().anyMatch(f -> f.outcome() == ServerFinding.Outcome.WRONG)) {
            return "served wrongly, without a word; export it first";
        }
        return "served";
    }
}
