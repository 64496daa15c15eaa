package io.peft4j.adapters;

import java.util.Optional;

/** The programs on a model card that load its adapter. */
final class CardPrograms {

    private static final String DIRECTORY = "\"path/to/this/directory\"";

    private CardPrograms() {}

    static void append(StringBuilder page, String taskType, Optional<CardBase> base) {
        boolean languageModel = taskType.equals("CAUSAL_LM");
        String name = CardText.literal(base.map(CardBase::name).orElse("path/to/the/base/model"));
        page.append("## Use in Java\n\n```java\n")
                .append(languageModel ? javaLanguageModel(name) : javaBlock())
                .append("```\n\n## Use in Python\n\n```python\n")
                .append(languageModel ? pythonLanguageModel(base, name) : pythonModule())
                .append("```\n\n");
    }

    private static String javaLanguageModel(String name) {
        return """
        import ai.djl.Device;
        import io.peft4j.adapters.AdaptedModel;
        import io.peft4j.adapters.Adapters;
        import io.peft4j.hub.Hub;
        import io.peft4j.models.CausalLm;
        import java.nio.file.Path;

        Path base = Hub.fromEnvironment().fetchModel(%s);
        Path adapter = Path.of(%s);
        try (CausalLm model = CausalLm.load(base, Device.cpu());
                AdaptedModel adapted = Adapters.load(model.block(), adapter)) {
            System.out.println(adapted.summary()); // what model computes has the adapter in it
        }
        """
                .formatted(name, DIRECTORY);
    }

    private static String javaBlock() {
        return """
        import io.peft4j.adapters.AdaptedModel;
        import io.peft4j.adapters.Adapters;
        import java.nio.file.Path;

        // model: the ai.djl.Model that the adapter was made for
        try (AdaptedModel adapted = Adapters.load(model, Path.of(%s))) {
            System.out.println(adapted.summary()); // what model computes has the adapter in it
        }
        """
                .formatted(DIRECTORY);
    }

    private static String pythonLanguageModel(Optional<CardBase> base, String name) {
        String from =
                base.map(CardBase::repository).map(CardText::literal).orElse(name)
                        + base.flatMap(CardBase::revision)
                                .map(revision -> ", revision=" + CardText.literal(revision))
                                .orElse("");
        return """
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        # a repository that brings its own code, such as OpenELM's, also needs trust_remote_code=True
        base = AutoModelForCausalLM.from_pretrained(%s)
        model = PeftModel.from_pretrained(base, %s)
        """
                .formatted(from, DIRECTORY);
    }

    private static String pythonModule() {
        return """
        from peft import PeftModel

        # base: the torch.nn.Module that the adapter was made for
        model = PeftModel.from_pretrained(base, %s)
        """
                .formatted(DIRECTORY);
    }
}
