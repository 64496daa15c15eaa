package io.peft4j.adapters;

import java.util.Optional;

/** The programs on a model card that load its adapter. */
final class CardPrograms {

    private static final String DIRECTORY = "\"path/to/this/directory\"";

    /** What an adapter is on. */
    enum Kind {
        /** A decoder that says texts. */
        LANGUAGE_MODEL,
        /** A decoder that judges texts, with a score head. */
        REWARD_MODEL,
        /** Any other module. */
        MODULE
    }

    private CardPrograms() {}

    static void append(StringBuilder page, Kind kind, Optional<CardBase> base) {
        String name = CardText.literal(base.map(CardBase::name).orElse("path/to/the/base/model"));
        page.append("## Use in Java\n\n```java\n")
                .append(java(kind, name))
                .append("```\n\n## Use in Python\n\n```python\n")
                .append(kind == Kind.MODULE ? pythonModule() : pythonModel(kind, base, name))
                .append("```\n\n");
    }

    private static String java(Kind kind, String name) {
        return switch (kind) {
            case LANGUAGE_MODEL -> javaLanguageModel(name);
            case REWARD_MODEL -> javaRewardModel(name);
            case MODULE -> javaBlock();
        };
    }

    private static String javaRewardModel(String name) {
        return """
        import ai.djl.Device;
        import io.peft4j.adapters.AdaptedModel;
        import io.peft4j.adapters.Adapters;
        import io.peft4j.hub.Hub;
        import io.peft4j.models.CausalLm;
        import io.peft4j.tuning.Example;
        import io.peft4j.tuning.LanguageModel;
        import io.peft4j.tuning.Role;
        import io.peft4j.tuning.reward.RewardModel;
        import java.nio.file.Path;
        import java.util.List;

        Path base = Hub.fromEnvironment().fetchModel(%s);
        Path adapter = Path.of(%s);
        try (CausalLm model = CausalLm.load(base, Device.cpu())) {
            model.addScoreHead(0); // of which the adapter has its own
            try (AdaptedModel adapted = Adapters.load(model.block(), adapter)) {
                Role role = Role.adapter(adapted, AdaptedModel.DEFAULT);
                RewardModel reward = new RewardModel(LanguageModel.of(model), role, 8);
                // ids: the tokens of a prompt with its answer
                double[] scores = reward.scores(List.of(Example.of(ids)));
            }
        }
        """
                .formatted(name, DIRECTORY);
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

    private static String pythonModel(Kind kind, Optional<CardBase> base, String name) {
        String from =
                base.map(CardBase::repository).map(CardText::literal).orElse(name)
                        + base.flatMap(CardBase::revision)
                                .map(revision -> ", revision=" + CardText.literal(revision))
                                .orElse("");
        if (kind == Kind.REWARD_MODEL) {
            return """
            from peft import PeftModel
            from transformers import AutoModelForSequenceClassification

            # for rows of several lengths, the base also needs pad_token_id=tokenizer.pad_token_id
            base = AutoModelForSequenceClassification.from_pretrained(%s, num_labels=1)
            model = PeftModel.from_pretrained(base, %s)
            """
                    .formatted(from, DIRECTORY);
        }
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
