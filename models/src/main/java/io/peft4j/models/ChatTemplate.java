package io.peft4j.models;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A Jinja chat template as Hugging Face's tokenizers carry it, rendered as Python renders it.
 *
 * <p>Jinjava goes on after an error and leaves a gap in the text; here every error is an exception.
 */
final class ChatTemplate {

    private static final long MAX_CHARACTERS = 100_000_000;

    /** Everything in which Jinjava's older ways differ from Jinja2's. */
    private static final LegacyOverrides AS_JINJA2 =
            LegacyOverrides.newBuilder()
                    .withParseWhitespaceControlStrictly(true)
                    .withUseTrimmingForNotesAndExpressions(true)
                    .withUseSnakeCasePropertyNaming(true)
                    .withKeepNullableLoopValues(true)
                    .withUsePyishObjectMapper(true)
                    .withEvaluateMapKeys(true)
                    .withIterateOverMapKeys(true)
                    .withUseNaturalOperatorPrecedence(true)
                    .withAllowAdjacentTextNodes(true)
                    .build();

    private static final Pattern EXPRESSION =
            Pattern.compile("\\{\\{.*?}}|\\{%.*?%}", Pattern.DOTALL);
    private static final Pattern STRING =
            Pattern.compile("'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"", Pattern.DOTALL);
    private static final Pattern USE =
            Pattern.compile("\\|\\s*([A-Za-z_]\\w*)|\\bis\\s+(?:not\\s+)?([A-Za-z_]\\w*)");

    private static final Jinjava JINJA = jinjava();

    private final String source;
    private final String template;
    private final Map<String, String> specialTokens;

    /**
     * Keeps a template.
     *
     * @param source what to call it in messages
     * @param template the Jinja text
     * @param specialTokens variables such as {@code bos_token}
     * @throws ChatTemplateException if the template uses a filter or a test that there is not
     */
    ChatTemplate(String source, String template, Map<String, String> specialTokens) {
        requireKnown(source, template);
        this.source = source;
        this.template = template;
        this.specialTokens = Map.copyOf(specialTokens);
    }

    /** Jinjava takes the value away, without an error, when it does not know a filter. */
    private static void requireKnown(String source, String template) {
        Context known = JINJA.getGlobalContext();
        Matcher expressions = EXPRESSION.matcher(template);
        while (expressions.find()) {
            String code = STRING.matcher(expressions.group()).replaceAll("''");
            Matcher uses = USE.matcher(code);
            while (uses.find()) {
                boolean isFilter = uses.group(1) != null;
                String name = isFilter ? uses.group(1) : uses.group(2);
                if (isFilter ? known.getFilter(name) == null : known.getExpTest(name) == null) {
                    throw new ChatTemplateException(
                            source
                                    + ": the chat template failed: there is no "
                                    + (isFilter ? "filter " : "test ")
                                    + name);
                }
            }
        }
    }

    private static Jinjava jinjava() {
        // transformers trims blocks and strips what is left of them
        Jinjava jinjava =
                new Jinjava(
                        JinjavaConfig.newBuilder()
                                .withTrimBlocks(true)
                                .withLstripBlocks(true)
                                .withLegacyOverrides(AS_JINJA2)
                                .withMaxOutputSize(MAX_CHARACTERS)
                                .build());
        jinjava.getGlobalContext().registerTag(new GenerationTag());
        jinjava.getGlobalContext().registerFilter(new ItemsFilter());
        jinjava.getGlobalContext()
                .registerFunction(
                        new ELFunctionDefinition(
                                "",
                                "raise_exception",
                                ChatTemplateFunctions.class,
                                "raiseException",
                                String.class));
        jinjava.getGlobalContext()
                .registerFunction(
                        new ELFunctionDefinition(
                                "",
                                "strftime_now",
                                ChatTemplateFunctions.class,
                                "formatNow",
                                String.class));
        return jinjava;
    }

    String render(List<Message> messages, boolean addGenerationPrompt) {
        Map<String, Object> context = new HashMap<>(specialTokens);
        List<Map<String, Object>> turns = new ArrayList<>();
        for (Message message : messages) {
            turns.add(new HashMap<>(Map.of("role", message.role(), "content", message.content())));
        }
        context.put("messages", turns);
        context.put("add_generation_prompt", addGenerationPrompt);
        context.put("tools", null);
        context.put("documents", null);
        RenderResult result = JINJA.renderForResult(template, context);
        if (!result.getErrors().isEmpty()) {
            TemplateError error = result.getErrors().get(0);
            throw new ChatTemplateException(
                    source + ": the chat template failed: " + reason(error), error.getException());
        }
        return result.getOutput();
    }

    /** What the template itself said, or else what Jinjava said about it. */
    private static String reason(TemplateError error) {
        for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
            if (cause instanceof ChatTemplateException raised) {
                return String.valueOf(raised.getMessage());
            }
        }
        return error.getMessage();
    }
}
