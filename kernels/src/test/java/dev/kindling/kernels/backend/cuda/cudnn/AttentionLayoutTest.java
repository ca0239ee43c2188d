package dev.kindling.kernels.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.cudnn.AttentionLayout.RowStrides;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionLayoutTest {
  private static AttentionLayout dense(int batch, int tokens, int heads, int kvHeads, int headDim) {
    RowStrides rows = RowStrides.dense(heads, kvHeads, headDim);
    return new AttentionLayout(batch, tokens, heads, kvHeads, headDim, rows, rows);
  }

  @ParameterizedTest
  @CsvSource({"1,2,1,1,8", "2,257,12,12,64", "3,100,32,8,128", "1,64,4,1,72"})
  void takes_what_fused_kernels_take(int b, int t, int h, int k, int c) {
    assertThat(dense(b, t, h, k, c).refusal(false)).isEmpty();
    assertThat(dense(b, t, h, k, c).supports(false)).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "0,64,4,4,64,sequence",
    "1,1,4,4,64,tokens",
    "1,64,4,3,64,multiple of key heads",
    "1,64,3,4,64,multiple of key heads",
    "1,64,4,4,60,multiple of 8",
    "1,64,4,4,136,multiple of 8 up to 128",
    "1,64,4,4,0,multiple of 8"
  })
  void refuses_other_sizes_and_says_why(int b, int t, int h, int k, int c, String why) {
    assertThat(dense(b, t, h, k, c).refusal(false)).get().asString().contains(why);
  }

  @Test
  void refuses_document_masks() {
    assertThat(dense(1, 64, 4, 4, 64).refusal(true)).get().asString().contains("document");
    assertThat(dense(1, 64, 4, 4, 64).supports(true)).isFalse();
  }

  @Test
  void refuses_rows_that_overlap_or_are_not_aligned() {
    RowStrides good = RowStrides.packed(4, 2, 64);
    RowStrides narrow = new RowStrides(good.q(), 120, good.v(), good.o());
    RowStrides crooked = new RowStrides(good.q(), good.k(), good.v(), 260);
    assertThat(new AttentionLayout(1, 64, 4, 2, 64, narrow, good).refusal(false))
        .hasValue("row stride of k must be a multiple of 8 and at least 128, got 120");
    assertThat(new AttentionLayout(1, 64, 4, 2, 64, good, crooked).refusal(false))
        .hasValue("row stride of gradient of o must be a multiple of 8 and at least 256, got 260");
  }

  @Test
  void packed_rows_hold_all_heads_of_q_k_and_v() {
    assertThat(RowStrides.packed(8, 2, 64)).isEqualTo(new RowStrides(768, 768, 768, 512));
    assertThat(dense(2, 10, 8, 2, 64).transposedStrides(768)).containsExactly(7680, 64, 1, 768);
  }
}
