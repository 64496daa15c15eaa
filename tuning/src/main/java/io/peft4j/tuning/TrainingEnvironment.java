package io.peft4j.tuning;

import ai.djl.engine.Engine;
import io.peft4j.torch.Processor;
import io.peft4j.torch.TorchRuntime;
import java.util.LinkedHashMap;
import java.util.Map;

/** What changes how sums are rounded, though not what is computed. */
final class TrainingEnvironment {

    private TrainingEnvironment() {}

    static Map<String, String> current() {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("threads", String.valueOf(TorchRuntime.threads()));
        values.put("djl", Engine.getDjlVersion());
        values.put("pytorch", TorchRuntime.version());
        values.put("os", System.getProperty("os.name"));
        values.put("arch", System.getProperty("os.arch"));
        values.put("cpu", Processor.name());
        return values;
    }
}
