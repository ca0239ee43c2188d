package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.optim.outer.OuterSentences;
import dev.kindling.optim.outer.OuterStep;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.shard.ParameterPlaces;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What the sentences of an outer step say about the trained parameters of a model. */
record OuterGraphs(StepGraphs step, OuterStep outer) {
  /** One for each of {@link OuterSentence#of}. */
  List<Graph> graphs() {
    GraphBuilder forward = new GraphBuilder();
    step.forward(forward);
    List<Param> read = forward.params();
    OuterSentences sentences = new OuterSentences(outer, trained(read));
    List<Graph> graphs = new ArrayList<>();
    for (OuterSentence each : OuterSentence.of(outer)) {
      ParameterPlaces places = step.sharding().places();
      GraphBuilder b = new GraphBuilder(places);
      each.write(sentences, b);
      if (each.changesWeights()) {
        read.forEach(param -> step.write(b, places, param));
      }
      graphs.add(b.build());
    }
    return graphs;
  }

  private List<Param> trained(List<Param> read) {
    List<Param> trained = new ArrayList<>();
    for (Param param : read) {
      Optional<TrainedColumns> columns = step.projection().columns(param);
      if (columns.isPresent()) {
        trained.add(columns.get().delta());
      } else if (param.demand() instanceof Whole) {
        trained.add(param);
      }
    }
    return trained;
  }
}
