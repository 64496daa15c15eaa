package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.translate.TranslateException;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GenerationTranslatorTest {

    private static final String[] NAMES = {"lora", "dora", "wide", "both"};
    private static final GenerationConfig CONFIG =
            GenerationConfig.builder().optMaxNewTokens(12).optEosIds(List.of(263L)).build();

    private static CausalLm model;
    private static Tokenizer tokenizer;
    private static AdaptedModel adapted;
    private static GenerationTranslator translator;
    private static Model djl;

    @BeforeAll
    static void open() throws IOException {
        model = CausalLm.load(TestData.path("golden/llama3/model"), Device.cpu());
        tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"));
        adapted = Adapters.load(model.block(), TestData.path("golden/llama3/lora"));
        adapted.load("lora", TestData.path("golden/llama3/lora"));
        adapted.load("dora", TestData.path("golden/llama3/dora"));
        adapted.load("wide", TestData.path("golden/llama3/rslora"));
        translator = new GenerationTranslator(model, tokenizer, adapted);
        djl = translator.newModel();
    }

    @AfterAll
    static void close() {
        djl.close();
        adapted.close();
        tokenizer.close();
        model.close();
    }

    private static GenerationRequest request(String prompt, String name) {
        GenerationRequest.Builder builder =
                GenerationRequest.builder().setPrompt(prompt).optConfig(CONFIG);
        return name.equals("both")
                ? builder.optAdapters("lora", "dora").build()
                : builder.optAdapters(name).build();
    }

    private static Map<GenerationRequest, GeneratedText> oneByOne(List<GenerationRequest> requests)
            throws TranslateException {
        Map<GenerationRequest, GeneratedText> texts = new LinkedHashMap<>();
        try (Predictor<GenerationRequest, GeneratedText> predictor = djl.newPredictor(translator)) {
            for (GenerationRequest request : requests) {
                texts.put(request, predictor.predict(request));
            }
        }
        return texts;
    }

    private static List<GenerationRequest> requests() {
        List<GenerationRequest> requests = new ArrayList<>();
        for (String prompt : List.of("Hello", "What is 2+2?", "a", "Zürich, 東京")) {
            for (String name : NAMES) {
                requests.add(request(prompt, name));
            }
        }
        return requests;
    }

    @Test
    void eightThreadsWithFourAdaptersGetWhatOneThreadGets() throws Exception {
        List<GenerationRequest> requests = requests();
        Map<GenerationRequest, GeneratedText> expected = oneByOne(requests);
        assertThat(new HashSet<>(expected.values())).hasSizeGreaterThan(10); // adapters matter
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Map<GenerationRequest, GeneratedText>>> futures = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                List<GenerationRequest> mine = new ArrayList<>(requests);
                java.util.Collections.rotate(mine, 3 * thread);
                futures.add(threads.submit(() -> oneByOne(mine)));
            }
            for (Future<Map<GenerationRequest, GeneratedText>> future : futures) {
                Map<GenerationRequest, GeneratedText> found = future.get(60, TimeUnit.SECONDS);
                requests.forEach(
                        request -> assertThat(found.get(request)).isEqualTo(expected.get(request)));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void requestsThatArePredictedTogetherAreAnsweredInOrder() throws TranslateException {
        List<GenerationRequest> requests = requests();
        Map<GenerationRequest, GeneratedText> expected = oneByOne(requests);
        try (Predictor<GenerationRequest, GeneratedText> predictor = djl.newPredictor(translator)) {
            assertThat(predictor.batchPredict(requests))
                    .containsExactlyElementsOf(requests.stream().map(expected::get).toList());
        }
    }

    @Test
    void aRequestSaysWhichAdaptersItWants() throws TranslateException {
        try (Predictor<GenerationRequest, GeneratedText> predictor = djl.newPredictor(translator)) {
            GeneratedText bare =
                    predictor.predict(
                            GenerationRequest.builder()
                                    .setPrompt("Hello")
                                    .optConfig(CONFIG)
                                    .optAdapters()
                                    .build());
            GeneratedText active =
                    predictor.predict(
                            GenerationRequest.builder()
                                    .setPrompt("Hello")
                                    .optConfig(CONFIG)
                                    .build());
            assertThat(bare).isNotEqualTo(active);
            assertThat(active).isEqualTo(predictor.predict(request("Hello", "lora")));
            assertThat(bare.promptTokens()).isEqualTo(tokenizer.encode("Hello", true).length);
            assertThatThrownBy(() -> predictor.predict(request("Hello", "nobody")))
                    .isInstanceOf(TranslateException.class)
                    .hasMessageContaining("nobody");
        }
    }

    @Test
    void aConversationIsAnsweredThroughTheChatTemplate() throws TranslateException {
        List<Message> messages = List.of(new Message("user", "Hi"));
        try (Predictor<GenerationRequest, GeneratedText> predictor = djl.newPredictor(translator)) {
            GeneratedText answer =
                    predictor.predict(
                            GenerationRequest.builder()
                                    .setMessages(messages)
                                    .optConfig(CONFIG)
                                    .build());
            assertThat(answer)
                    .isEqualTo(new TextGenerator(model, tokenizer).answer(messages, CONFIG));
        }
    }

    @Test
    void aRequestIsAPromptOrAConversation() {
        assertThatThrownBy(() -> GenerationRequest.builder().build())
                .hasMessage("expected a prompt or messages, found neither");
        assertThatThrownBy(
                        () ->
                                GenerationRequest.builder()
                                        .setPrompt("a")
                                        .setMessages(List.of(new Message("user", "b")))
                                        .build())
                .hasMessage("expected a prompt or messages, found both");
    }

    @Test
    void textsTellWhyTheyEnd() {
        TextGenerator generator = new TextGenerator(model, tokenizer);
        GeneratedText whole = generator.generate("Hello", CONFIG);
        assertThat(whole.end()).isEqualTo(GeneratedText.End.LENGTH);
        assertThat(whole.ids()).hasSize(12);
        GenerationConfig ending = CONFIG.toBuilder().optEosIds(List.of(whole.ids().get(4))).build();
        assertThat(generator.generate("Hello", ending).end()).isEqualTo(GeneratedText.End.EOS);
        String stop = whole.text().substring(2, 4);
        GeneratedText stopped =
                generator.generate(
                        "Hello", CONFIG.toBuilder().optStopStrings(List.of(stop)).build());
        assertThat(stopped.end()).isEqualTo(GeneratedText.End.STOP);
        assertThat(whole.text()).startsWith(stopped.text() + stop);
        assertThat(stopped.ids().size()).isLessThan(12);
    }
}
