package io.peft4j.adapters;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * An adapter's state at one base weight.
 *
 * @param weight the base weight
 * @param state what stands in its place
 * @param keyPrefix what PEFT's tensor keys begin with, up to the state's own keys
 * @param reachesTies whether modules that share the weight are adapted with it
 */
record Attachment(BaseWeight weight, AdapterState state, String keyPrefix, boolean reachesTies) {

    /**
     * A second copy of a parameter, which PEFT saves under the name of a tied module.
     *
     * @param ownKey the full key of the parameter
     * @param parameter the parameter
     * @param transposed whether the copy is its transpose
     */
    record TiedCopy(String ownKey, Parameter parameter, boolean transposed) {

        long[] shape() {
            Shape own = parameter.getShape();
            return transposed ? new long[] {own.get(1), own.get(0)} : own.getShape();
        }

        float[] values() {
            return of(parameter.getArray().toFloatArray());
        }

        /** The copy that belongs to some values of the parameter. */
        float[] of(float[] own) {
            if (!transposed) {
                return own;
            }
            int columns = Math.toIntExact(parameter.getShape().get(1));
            int rows = own.length / columns;
            float[] copy = new float[own.length];
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    copy[j * rows + i] = own[i * columns + j];
                }
            }
            return copy;
        }
    }

    /** What the same state makes of the bias of the weight's module. */
    Attachment ofBias(BaseWeight bias) {
        return new Attachment(bias, new BiasChange(state), keyPrefix, false);
    }

    String path() {
        return weight.site().path();
    }

    /** The state's parameters by PEFT's full key. */
    Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        state.parameters().forEach((key, parameter) -> parameters.put(keyPrefix + key, parameter));
        return parameters;
    }

    /** What else is saved of the state, by PEFT's full key. */
    Map<String, TiedCopy> tiedCopies() {
        Map<String, TiedCopy> copies = new LinkedHashMap<>();
        if (reachesTies) {
            boolean transposed = !(state instanceof WholeParameter);
            Map<String, Parameter> parameters = state.parameters();
            for (String module : weight.site().tiedTo()) {
                state.tiedKeys()
                        .forEach(
                                (key, own) ->
                                        copies.put(
                                                AdapterFiles.prefix(module) + key,
                                                new TiedCopy(
                                                        keyPrefix + own,
                                                        Objects.requireNonNull(
                                                                parameters.get(own), own),
                                                        transposed)));
            }
        }
        return copies;
    }

    /** The number of trained elements. */
    long size() {
        return state.parameters().values().stream()
                .filter(parameter -> !TorchNames.isStatistic(parameter))
                .mapToLong(parameter -> parameter.getShape().size())
                .sum();
    }
}
