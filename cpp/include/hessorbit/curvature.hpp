// How the loss of each sample curves along the preactivation of one hidden neuron, where there are two hidden layers or
// more (in sensitivity.hpp's terms):
//
//     B_ll[i,i] = e_l[i] + (Z_lL M Z_lLᵀ)[i,i] + Σ_{l<q<L} Σ_u Z_lq[i,u]² e_q[u]
//
// What the loss gives is a sum of squares of rows, which start at the last hidden layer (loss_rows.hpp) and take
// d_l d_{l+1} multiply-adds each from layer to layer, in the L1 cache:
//
//     G_l = G_{l+1} V_{l+1}ᵀ diag(σ'_l),     Σ_r G_l[r,i]²
//
// What hidden layers give, whose e have either sign, is the diagonal of the symmetric T_l, whose pairs u ≥ w are kept:
//
//     T_l = diag(e_l) + diag(σ'_l) V_{l+1} T_{l+1} V_{l+1}ᵀ diag(σ'_l)
//
// Products with V twice are products with the matrix of all V[i,u] V[i,w]: d³/2 from a diagonal T to pairs, and d³/2
// from pairs to the diagonal, all that the lowest layer needs; and 3/2 d³ in between. As the lowest product is made for
// T anyway, it takes G_1ᵀG_1 along, d²/2 a row in place of d². Where outputs are more than the neurons of the last
// hidden layer, T takes all of the loss from there on.
//
// Without the terms in e, which a tape of order gauss_newton does not have and which are zero where no activation
// bends, it is the Gauss–Newton part, of rows alone.
#pragma once

#include "loss_rows.hpp"

#include <utility>

namespace hessorbit {

template <class T>
class NeuronCurvature {
public:
    // n: columns of a chunk; order: of the tapes; constant_loss: M = w I, seen from z_L; coupled: M is not diagonal.
    NeuronCurvature(const Network& network, Index n, Order order, bool constant_loss, bool coupled)
        : network_(network), last_(network.depth() - 2), curved_(order == Order::hessian && bends(network)),
          loss_(network, n, constant_loss, coupled, curved_), rows_(loss_.paired() ? 0 : loss_.count(), widest()),
          next_rows_(loss_.paired() ? 0 : loss_.count(), widest()), form_(2, widest()),
          full_(between() ? widest() : 0, widest()), half_(between() ? widest() : 0, widest()) {
        for (Index l = 0; l <= last_; ++l) curvature_.push_back(Rows<T>::Zero(network.layer(l).width, n));
        sum_.setZero(network.layer(0).width, n);
        if (!curved_) return;
        if (last_ == 1 && !loss_.paired()) {
            squared_.setZero(network.layer(0).width, network.layer(1).width);
            return;
        }
        for (Index u = 0; u < widest(); ++u)
            for (Index w = 0; w <= u; ++w) pairs_.push_back({u, w});
        hidden_.setZero(std::ssize(pairs_), n);
        const auto width = [&](Index l) { return network.layer(l).width; };
        if (!loss_.paired()) upper_ = Table(triangle(width(last_ - 1)), width(last_));
        lower_ = Table(triangle(width(1)), width(0));
    }

    // To be called for each θ.
    void prepare(const Parameters<T>& parameters) {
        loss_.prepare(parameters.backward[last_ + 1]);
        if (squared_.size()) squared_ = parameters.backward[1].cwiseAbs2();
        if (upper_.pairs && upper_.block == upper_.pairs) fill_upper(parameters.backward[last_], 0, upper_.pairs);
        if (lower_.pairs && lower_.block == lower_.pairs) fill_lower(parameters.backward[1], 0, lower_.pairs);
    }

    // Finds B for the first n columns of a tape that has been through backward, whose coupling is then lost.
    void run(const Parameters<T>& parameters, Tape<T>& tape, Index n) {
        for (Index l = 0; l <= last_; ++l)
            for (Index i = 0; i < network_.layer(l).width; ++i)
                if (curved_) RowsView<T>(curvature_[l]).array(i, n) = RowsView<T>(tape.curvature[l]).array(i, n);
                else RowsView<T>(curvature_[l]).array(i, n).setZero();
        loss_.start_chunk(tape, parameters.backward[last_ + 1], n);
        if (loss_.paired()) pair_loss(tape, n);
        for (Index l = last_ - 1; curved_ && l > 0; --l) {
            if (l + 1 == last_ && !loss_.paired()) pair_diagonal(parameters.backward[l + 1], tape, l, n);
            else pair_pairs(parameters.backward[l + 1], tape, l, n);
            add_own(tape, l, n);
        }
        for (Index column = 0; column < n && !loss_.paired(); column += Lanes<T>::count) {
            stop_if_interrupted();
            descend(parameters, tape, column);
        }
        if (curved_) curve_lowest(parameters.backward[1], tape, n);
    }

    // B_ll[i,i] (width, n).
    RowsView<T> operator()(Index l) { return curvature_[l]; }

private:
    using V = Register<T>;
    static constexpr Index most_coefficients = 16384, least_pairs = 4, least_paired = 6;

    static bool bends(const Network& network) {
        for (Index l = 0; l + 1 < network.depth(); ++l)
            if (network.layer(l).bends()) return true;
        return false;
    }

    // Whether there are steps from pairs to pairs.
    bool between() const { return curved_ && last_ > (loss_.paired() ? 1 : 2); }

    Index widest() const {
        Index most = 0;
        for (Index l = 0; l <= last_; ++l) most = std::max(most, network_.layer(l).width);
        return most;
    }

    // The coefficients of products with pairs, `length` for each, of as many pairs at a time as there is room for.
    struct Table {
        Index pairs = 0, length = 0, block = 0;
        Matrix<T> coefficients{};

        Table() = default;
        Table(Index pair_count, Index row) : pairs(pair_count), length(row) {
            const Index room = most_coefficients / length / least_pairs * least_pairs;
            block = std::min(pairs, std::max(least_pairs, room));
            coefficients.setZero(1, block * length);
        }

        // use(first, count) for blocks of pairs, after fill(first, count), which a table of one block is spared.
        template <class Fill, class Use>
        void for_each_block(const Fill& fill, const Use& use) {
            for (Index first = 0; first < pairs; first += block) {
                stop_if_interrupted();
                const Index count = std::min(block, pairs - first);
                if (block < pairs) fill(first, count);
                use(first, count);
            }
        }
    };

    // V[u,·] V[w,·], a row for each pair.
    void fill_upper(const Matrix<T>& v, Index first, Index count) {
        T* to = upper_.coefficients.data();
        for (Index p = first; p < first + count; ++p, to += v.cols()) {
            const auto [u, w] = pairs_[p];
            const T *const left = v.data() + u * v.cols(), *const right = v.data() + w * v.cols();
            for (Index j = 0; j < v.cols(); ++j) to[j] = left[j] * right[j];
        }
    }

    // V[·,u] V[·,w], twice if u ≠ w, a column for each pair.
    void fill_lower(const Matrix<T>& v, Index first, Index count) {
        T* to = lower_.coefficients.data();
        for (Index i = 0; i < v.rows(); ++i) {
            const T* const row = v.data() + i * v.cols();
            for (Index p = first; p < first + count;) {
                const auto [u, w] = pairs_[p];
                const Index end = std::min(first + count - p + w, u + 1);
                for (Index j = w; j < end; ++j) *to++ = 2 * row[u] * row[j];
                if (end == u + 1) to[-1] = row[u] * row[u];
                p += end - w;
            }
        }
    }

    // T_l, but for e_l, from e_{l+1}.
    void pair_diagonal(const Matrix<T>& v, Tape<T>& tape, Index l, Index n) {
        const RowsView<T> slope(tape.slope[l]), out(hidden_);
        const auto multiply = [&](Index first, Index count) {
            const auto* const pairs = pairs_.data() + first;
            combine_each<T>(upper_.coefficients.data(), v.cols(), count, v.cols(), RowsView<T>(tape.curvature[l + 1]),
                            n, [=](Index p, Index column, const auto& sum) {
                                const auto [u, w] = pairs[p];
                                detail::lanes(out.row(first + p) + column) =
                                    sum * detail::lanes(slope.row(u) + column) * detail::lanes(slope.row(w) + column);
                            });
        };
        upper_.for_each_block([&](Index first, Index count) { fill_upper(v, first, count); }, multiply);
    }

    // T of the last hidden layer with what the loss gives.
    void pair_loss(Tape<T>& tape, Index n) {
        for (Index column = 0; column < n; column += Lanes<T>::count) {
            stop_if_interrupted();
            loss_.write_pairs(tape, RowsView<T>(tape.slope[last_]).from_column(column), column,
                              RowsView<T>(hidden_).from_column(column));
        }
        add_own(tape, last_, n);
    }

    // T_l, but for e_l, from T_{l+1}.
    void pair_pairs(const Matrix<T>& v, Tape<T>& tape, Index l, Index n) {
        const RowsView<T> hidden(hidden_);
        for (Index column = 0; column < n; column += Lanes<T>::count) {
            const RowsView<T> slope = RowsView<T>(tape.slope[l]).from_column(column);
            stop_if_interrupted();
            for (Index u = 0; u < v.cols(); ++u) {
                auto *const row = full_.row(u), *const down = full_.row(0) + u;
                for (Index w = 0, stride = full_.stride(); w <= u; ++w)
                    row[w] = down[w * stride] = detail::lanes(hidden.row(triangle(u) + w) + column);
            }
            auto* const half = half_.row(0);
            const Index stride = half_.stride();
            multiply_each(full_, v.cols(), Triangle::none, v, [=]<int count>(Index u, Index i, const auto& sum) {
                for (int a = 0; a < count; ++a) half[i * stride + u + a] = sum[a];
            });
            multiply_each(half_, v.rows(), Triangle::lower, v, [=]<int count>(Index i, Index j, const auto& sum) {
                const V right = detail::lanes(slope.row(j));
                for (int a = 0; a < count; ++a)
                    if (j <= i + a)
                        detail::lanes(hidden.row(triangle(i + a) + j) + column) =
                            sum[a] * (right * detail::lanes(slope.row(i + a)));
            });
        }
    }

    // Adds T_l to B_ll, and e_l to T_l.
    void add_own(Tape<T>& tape, Index l, Index n) {
        const RowsView<T> hidden(hidden_), out(curvature_[l]), own(tape.curvature[l]);
        for (Index i = 0; i < network_.layer(l).width; ++i) {
            out.array(i, n) += hidden.array(triangle(i) + i, n);
            hidden.array(triangle(i) + i, n) += own.array(i, n);
        }
    }

    // Adds what the loss gives to every B_ll of one SIMD vector of samples, or to T_1 in place of B_00.
    void descend(const Parameters<T>& parameters, Tape<T>& tape, Index column) {
        const bool paired = curved_ && last_ > 1 && loss_.squares() && loss_.count() >= least_paired;
        const auto slope = [&](Index l) { return RowsView<const T>(RowsView<T>(tape.slope[l]).from_column(column)); };
        loss_.write(tape, slope(last_), column, rows_);
        add_rows(tape, column);
        for (Index l = last_ - 1; l >= 0; --l) {
            if (l == 0 && paired) return;
            const Matrix<T>& v = parameters.backward[l + 1];
            if (!loss_.squares()) step<Step::weighted>(tape, v, slope(l), l, column);
            else if (l == 1 && paired) step<Step::plain>(tape, v, slope(l), l, column);
            else if (l == 0) step<Step::last>(tape, v, slope(l), l, column);
            else step<Step::squared>(tape, v, slope(l), l, column);
            if (l == 1 && paired) add_gram(column);
        }
    }

    // What a step down does with G_l: stores it alone, adds its squares to B_ll besides, or does that alone; or adds
    // the form that M is.
    enum class Step { plain, squared, last, weighted };

    // G_l from G_{l+1}.
    template <Step kind>
    void step(Tape<T>& tape, const Matrix<T>& v, RowsView<const T> slope, Index l, Index column) {
        auto *const form = form_.row(0), *const next = next_rows_.row(0);
        const Index stride = next_rows_.stride(), width = v.rows();
        for (Index i = 0; i < width; ++i) form[i] = V{}, form_(1, i) = V{};
        const Triangle shape = loss_.triangular() && l + 1 == last_ ? Triangle::upper : Triangle::none;
        multiply_each(rows_, loss_.count(), shape, v,
                      [&]<int count>(Index r, Index i, const auto& sum) {
                          if constexpr (kind == Step::weighted)
                              for (int a = 0; a < count; ++a) add_weighted(tape, column, r + a, i, sum[a]);
                          if constexpr (kind == Step::squared || kind == Step::last) {
                              V squares = form[i];
                              for (int a = 0; a < count; ++a) squares += sum[a] * sum[a];
                              form[i] = squares;
                          }
                          if constexpr (kind == Step::last) return;
                          const V scale = detail::lanes(slope.row(i));
                          for (int a = 0; a < count; ++a) next[(r + a) * stride + i] = sum[a] * scale;
                      });
        std::swap(rows_, next_rows_);
        if constexpr (kind != Step::plain)
            for (Index i = 0; i < width; ++i) {
                const V scale = detail::lanes(slope.row(i));
                detail::lanes(RowsView<T>(curvature_[l]).row(i) + column) += scale * scale * form[i];
            }
    }

    // Adds what G of the last hidden layer gives to its B.
    void add_rows(Tape<T>& tape, Index column) {
        const Index rows = loss_.count(), stride = rows_.stride();
        for (Index u = 0; u < network_.layer(last_).width; ++u) {
            V form = {};
            form_(0, u) = form_(1, u) = form;
            const auto* from = rows_.row(0) + u;
            if (loss_.squares())
                for (Index r = 0; r < (loss_.triangular() ? u + 1 : rows); ++r, from += stride) form += *from * *from;
            else
                for (Index r = 0; r < rows; ++r, from += stride) add_weighted(tape, column, r, u, *from);
            detail::lanes(RowsView<T>(curvature_[last_]).row(u) + column) += form + form_(0, u);
        }
    }

    // form_i += M_rr x² − 2 c_r x Σ_{s<r} c_s x_s, rows r in order.
    void add_weighted(Tape<T>& tape, Index column, Index r, Index i, V x) {
        form_(0, i) += x * x * detail::lanes(RowsView<T>(tape.loss_diagonal).row(r) + column);
        if (!tape.loss_coupling.size()) return;
        const V part = x * detail::lanes(RowsView<T>(tape.loss_coupling).row(r) + column);
        form_(0, i) -= (part + part) * form_(1, i);
        form_(1, i) += part;
    }

    // Adds G_1ᵀG_1 to T_1, and its diagonal to B_11.
    void add_gram(Index column) {
        const RowsView<T> hidden = RowsView<T>(hidden_).from_column(column);
        const RowsView<T> out = RowsView<T>(curvature_[1]).from_column(column);
        gram_each(rows_, loss_.count(), network_.layer(1).width, [=](Index u, Index w, const auto& sum) {
            detail::lanes(hidden.row(triangle(u) + w)) += sum;
            if (u == w) detail::lanes(out.row(u)) += sum;
        });
    }

    // Adds what T_1 gives to B_00.
    void curve_lowest(const Matrix<T>& v, Tape<T>& tape, Index n) {
        const RowsView<T> sum(sum_), slope(tape.slope[0]);
        if (squared_.size()) {
            combine<T>(squared_.data(), v.cols(), v.rows(), v.cols(), RowsView<T>(tape.curvature[1]), sum, n);
        } else {
            sum_.setZero();
            const auto multiply = [&](Index first, Index count) {
                combine<T, true>(lower_.coefficients.data(), count, v.rows(), count,
                                 RowsView<T>(hidden_).from_row(first), sum, n);
            };
            lower_.for_each_block([&](Index first, Index count) { fill_lower(v, first, count); }, multiply);
        }
        for (Index i = 0; i < v.rows(); ++i)
            RowsView<T>(curvature_[0]).array(i, n) += slope.array(i, n).square() * sum.array(i, n);
    }

    const Network& network_;
    Index last_;   // the last hidden layer
    bool curved_;  // whether some e is not zero
    LossRows<T> loss_;
    LaneMatrix<T> rows_, next_rows_, form_, full_, half_;
    std::vector<Rows<T>> curvature_;
    std::vector<std::pair<Index, Index>> pairs_;  // (u, w), w ≤ u, in their order
    Rows<T> hidden_, sum_;                        // T (pairs, n); of the lowest layer (width, n)
    Table upper_, lower_;                         // of T_{L−2} and of B_00
    Matrix<T> squared_;                           // V_1²
};

}  // namespace hessorbit
