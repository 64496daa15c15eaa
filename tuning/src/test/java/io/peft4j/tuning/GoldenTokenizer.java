package io.peft4j.tuning;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** The golden tokenizer with its template spelled out. */
final class GoldenTokenizer implements TextEncoder, AutoCloseable {

    private final HuggingFaceTokenizer tokenizer;

    GoldenTokenizer() throws IOException {
        tokenizer =
                HuggingFaceTokenizer.newInstance(
                        TestData.path("golden/tokenizer/tokenizer.json"),
                        Map.of("truncation", "false", "padding", "false"));
    }

    @Override
    public long[] encode(String text) {
        return tokenizer.encode(text, true, false).getIds();
    }

    @Override
    public long[] encodeChat(List<Turn> turns, boolean addGenerationPrompt) {
        StringBuilder text = new StringBuilder("<s>");
        turns.forEach(t -> text.append("<|" + t.role() + "|>\n" + t.content() + "<|end|>\n"));
        if (addGenerationPrompt) {
            text.append("<|assistant|>\n");
        }
        return tokenizer.encode(text.toString(), false, false).getIds();
    }

    @Override
    public String endOfSequence() {
        return "</s>";
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
