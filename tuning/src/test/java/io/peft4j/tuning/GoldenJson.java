package io.peft4j.tuning;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Cases that the Python scripts wrote, and small parameters made from them. */
final class GoldenJson {

    private GoldenJson() {}

    static List<JsonObject> cases(String resource) throws IOException {
        List<JsonObject> cases = new ArrayList<>();
        for (JsonElement element :
                JsonParser.parseString(Files.readString(TestData.path(resource)))
                        .getAsJsonArray()) {
            cases.add(element.getAsJsonObject());
        }
        return cases;
    }

    static float[] floats(JsonElement array) {
        JsonArray values = array.getAsJsonArray();
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values.get(i).getAsFloat();
        }
        return floats;
    }

    static double[] doubles(JsonElement array) {
        return array.getAsJsonArray().asList().stream()
                .mapToDouble(JsonElement::getAsDouble)
                .toArray();
    }

    static long[] longs(JsonElement array) {
        return array.getAsJsonArray().asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    }

    /** Makes parameters that require a gradient; {@code values} may be null for zeros. */
    static Map<String, Parameter> parameters(
            NDManager manager, JsonObject shapes, JsonObject values) {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        for (String name : shapes.keySet()) {
            Shape shape = new Shape(longs(shapes.get(name)));
            parameters.put(
                    name,
                    parameter(
                            manager,
                            shape,
                            values == null
                                    ? new float[(int) shape.size()]
                                    : floats(values.get(name))));
        }
        return parameters;
    }

    static Parameter parameter(NDManager manager, Shape shape, float... values) {
        Parameter parameter =
                Parameter.builder()
                        .setName("p")
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optInitializer((m, s, type) -> m.create(values, s))
                        .build();
        parameter.initialize(manager, DataType.FLOAT32);
        parameter.getArray().setRequiresGradient(true);
        return parameter;
    }
}
