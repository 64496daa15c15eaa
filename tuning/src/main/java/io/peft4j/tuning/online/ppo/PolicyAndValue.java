package io.peft4j.tuning.online.ppo;

import ai.djl.nn.Parameter;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Trainable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Policy and value adapter, moved by one optimizer. On disk the policy lies at the root, as if it
 * were alone, and the value in a directory of its name.
 *
 * @param policy the adapter that answers
 * @param value the adapter that foretells its rewards
 */
record PolicyAndValue(AdapterTrainable policy, AdapterTrainable value) implements Trainable {

    private static final String PREFIX = ValueAdapter.NAME + ".";

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> all = new LinkedHashMap<>(policy.parameters());
        value.parameters().forEach((name, parameter) -> all.put(PREFIX + name, parameter));
        return all;
    }

    @Override
    public Map<String, String> settings() {
        Map<String, String> own = policy.settings();
        Map<String, String> all = new LinkedHashMap<>(own);
        value.settings()
                .forEach(
                        (name, setting) -> {
                            if (!setting.equals(own.get(name))) {
                                all.put(PREFIX + name, setting);
                            }
                        });
        return all;
    }

    @Override
    public void record(Map<String, String> facts) {
        policy.record(facts);
        value.record(facts);
    }

    @Override
    public void save(Path directory) throws IOException {
        policy.save(directory);
        value.save(Files.createDirectories(own(directory)));
    }

    @Override
    public void load(Path directory) throws IOException {
        policy.load(directory);
        value.load(own(directory));
    }

    @Override
    public void export(Path output) throws IOException {
        policy.export(output);
        value.export(Files.createDirectories(own(output)));
    }

    private static Path own(Path directory) {
        return directory.resolve(ValueAdapter.NAME);
    }
}
