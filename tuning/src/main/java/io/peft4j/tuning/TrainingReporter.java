package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.function.Consumer;

/**
 * A kind of place that trainings report to, such as TensorBoard. What is on the class path is found
 * by {@link ServiceLoader}; a module with another one names it in {@code META-INF/services}.
 */
public interface TrainingReporter {

    /**
     * Returns the name, as transformers' {@code report_to} has it.
     *
     * @return such as {@code tensorboard}
     */
    String name();

    /**
     * Looks for what would keep it from reporting, before a model is loaded.
     *
     * @param context where and how
     * @param resume whether a run goes on that may have reported before
     * @throws IOException if it cannot report so; the message tells why and what helps
     */
    default void check(Context context, boolean resume) throws IOException {}

    /**
     * Begins the report of a training.
     *
     * @param context where and how
     * @return the report; the caller closes it after the training, however that ends
     */
    TrainingReport open(Context context);

    /**
     * Returns the reporters at hand.
     *
     * @return all that are on the class path
     */
    static List<TrainingReporter> all() {
        return ServiceLoader.load(TrainingReporter.class, TrainingReporter.class.getClassLoader())
                .stream()
                .map(ServiceLoader.Provider::get)
                .toList();
    }

    /**
     * Where and how to report.
     *
     * @param output the directory of the training's result
     * @param loggingDirectory where reports that are files go
     * @param environment the environment variables
     * @param warnings takes what is odd but does not end the training, in one line
     */
    record Context(
            Path output,
            Path loggingDirectory,
            Map<String, String> environment,
            Consumer<String> warnings) {

        /** Copies the variables. */
        public Context {
            environment = Map.copyOf(environment);
        }
    }
}
