package io.peft4j.cli.pipeline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * A mapping of a YAML file whose entries know their lines. Values stay as they are written: what a
 * number is, the flag that it is for decides.
 */
final class YamlMapping {

    private static final int MAX_CHARACTERS = 1 << 20;

    private final String file;
    private final Place place;
    private final Map<String, Node> values = new LinkedHashMap<>();
    private final Map<String, Place> places = new LinkedHashMap<>();

    private YamlMapping(String file, Node node, String what) {
        this.file = file;
        place = place(node);
        if (!(node instanceof MappingNode mapping)) {
            throw place.refused("expected " + what + " as \"key: value\", found " + describe(node));
        }
        for (NodeTuple entry : mapping.getValue()) {
            Place at = place(entry.getKeyNode());
            if (!(entry.getKeyNode() instanceof ScalarNode key)) {
                throw at.refused("expected a name, found " + describe(entry.getKeyNode()));
            }
            if (values.put(key.getValue(), entry.getValueNode()) != null) {
                throw at.refused("\"" + key.getValue() + "\" stands here a second time");
            }
            places.put(key.getValue(), at);
        }
    }

    /**
     * Parses a text.
     *
     * @param text the YAML
     * @param file what to call it in messages
     */
    static YamlMapping parse(String text, String file) {
        LoadSettings settings =
                LoadSettings.builder().setLabel(file).setCodePointLimit(MAX_CHARACTERS).build();
        try {
            Node root =
                    new Compose(settings)
                            .composeString(text)
                            .orElseThrow(() -> new PipelineException(file + ": the file is empty"));
            return new YamlMapping(file, root, "a pipeline");
        } catch (MarkedYamlEngineException e) {
            int line = e.getProblemMark().map(Mark::getLine).orElse(0) + 1;
            throw Place.line(file, line).refused("not valid YAML: " + e.getProblem());
        } catch (YamlEngineException e) {
            throw new PipelineException(file + ": not valid YAML: " + e.getMessage());
        }
    }

    private Place place(Node node) {
        return Place.line(file, node.getStartMark().map(Mark::getLine).orElse(0) + 1);
    }

    Place place() {
        return place;
    }

    Place place(String key) {
        return places.getOrDefault(key, place);
    }

    List<String> keys() {
        return List.copyOf(values.keySet());
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    /** A mapping inside this one. */
    YamlMapping mapping(String key, String what) {
        return new YamlMapping(file, node(key), what);
    }

    /** A text, a number, a truth value, or a list of such. */
    Setting setting(String key) {
        Node node = node(key);
        List<String> texts = new ArrayList<>();
        if (node instanceof SequenceNode list) {
            for (Node value : list.getValue()) {
                texts.add(scalar(key, value));
            }
        } else {
            texts.add(scalar(key, node));
        }
        return new Setting(key, texts, place(key));
    }

    private Node node(String key) {
        Node node = values.get(key);
        if (node == null) {
            throw place.refused("\"" + key + "\" is missing");
        }
        return node;
    }

    private String scalar(String key, Node node) {
        if (node instanceof ScalarNode scalar && !node.getTag().equals(Tag.NULL)) {
            return scalar.getValue();
        }
        throw place(node).refused("expected a value of \"" + key + "\", found " + describe(node));
    }

    private static String describe(Node node) {
        if (node instanceof MappingNode) {
            return "a mapping";
        }
        if (node instanceof SequenceNode) {
            return "a list";
        }
        return node instanceof ScalarNode scalar && !node.getTag().equals(Tag.NULL)
                ? "\"" + scalar.getValue() + "\""
                : "nothing";
    }
}
